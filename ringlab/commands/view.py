"""``ringlab view``: a page that shows a run while it goes on, or as it went."""

from __future__ import annotations

import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringlab import completions
from ringlab.examples_first import Command
from ringlab.json_output import json_option, write_json
from ringlab.talk import say

if TYPE_CHECKING:
    from ringlab.experiments.result import Result
    from ringlab.experiments.spec import Spec
    from ringlab.web.hub import Hub
    from ringlab.web.simulated import Simulated
    from ringlab.web.source import Source

TICK_S = 0.25
SPECS = (".yaml", ".yml")
"""Files that are meant as specs even where they are not there."""


@dataclass(frozen=True)
class Serve:
    """Where the page is, and for how long; ``token`` None: it changes nothing."""

    host: str
    port: int
    names: tuple[str, ...]
    token: str | None
    exit_with_run: bool


@click.command(
    cls=Command,
    examples=[
        "ringlab view examples/leaf-spine.yaml --backend simulated",
        "ringlab view examples/leaf-spine.yaml --control",
        "ringlab view runs/20260314T150926Z-leaf-spine-3f7a",
        "ringlab view last",
        "ringlab view examples/ring.yaml --backend simulated --seconds 5 --exit-with-run --json - | jq .rows",
    ],
)
@click.argument("wanted", metavar="SPEC|RUN", shell_complete=completions.runs)
@click.option(
    "--backend",
    type=click.Choice(["emulated", "simulated"]),
    default="emulated",
    show_default=True,
    help="Of a spec: run it on real packets, or show how it would go.",
)
@click.option("--control", is_flag=True, help="Let who has the printed address cut links and change the policy.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any that is free.")
@click.option("--name", "names", multiple=True, help="A name by which browsers may call this machine; more than once.")
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Of a film: its length.")
@click.option("--exit-with-run", is_flag=True, help="End with the run, instead of at Ctrl-C.")
@click.option("--scale", type=float, help="Of an emulated run: time dilation, instead of the spec's.")
@click.option("--repeats", type=click.IntRange(min=1), help="Of an emulated run: turns of every arm.")
@click.option("--framework", type=click.Choice(["auto", "ryu", "os_ken"]), default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@json_option
def command(
    wanted: str, backend: str, control: bool, host: str, port: int, names: tuple[str, ...], seconds: float,
    exit_with_run: bool, scale: float | None, repeats: int | None, framework: str, out: Path, json_target: str | None,
) -> None:  # fmt: skip
    """Show a run in a browser: loads of links, ways of flows, the ranks' steps, the table as it fills.

    SPEC is run on real packets while it is shown (it takes root, and the result is kept as by 'ringlab run'), or
    simulated. RUN is a run that is over, played at the pace that was measured: a folder in runs/, a file of --json, an
    id or a part of one, or `last`.

    With --control links can be cut and restored, and the policy changed; a run that was disturbed is marked invalid.
    The page needs nothing from any other server. --json has a run's result, as of 'ringlab run'; of a film, what the
    page shows at its end.
    """
    from ringlab.experiments import spec as specs  # noqa: PLC0415 - only where it is used
    from ringlab.experiments.runs_folder import path_of  # noqa: PLC0415 - likewise
    from ringlab.web.state import snapshot  # noqa: PLC0415 - likewise

    token = secrets.token_urlsafe(24) if control else None
    serve = Serve(host, port, (*names, host, socket.gethostname()), token, exit_with_run)
    what = Path(wanted) if wanted.endswith(SPECS) else path_of(wanted)
    if what.is_dir() or what.suffix == ".json":
        hub = _film(_recorded(what, seconds, control), serve)
    else:
        spec, text = specs.read(what)
        if backend == "simulated":
            from ringlab.web.simulated import Simulated  # noqa: PLC0415 - likewise

            hub = _film(Simulated(spec, seconds, control=control), serve)
        else:
            spec = specs.with_changes(spec, scale=scale, repeats=repeats)
            _check(_run(spec, text, serve, framework, out, json_target))
            return
    if json_target:
        write_json(json_target, snapshot(hub.view))


def _recorded(what: Path, seconds: float, control: bool) -> Simulated:
    from ringlab.errors import UsageError  # noqa: PLC0415 - likewise
    from ringlab.experiments import store  # noqa: PLC0415 - likewise
    from ringlab.web import recorded  # noqa: PLC0415 - likewise
    from ringlab.web.simulated import Simulated  # noqa: PLC0415 - likewise

    if control:
        raise UsageError("--control: a run that is over can't be disturbed; leave it out, or view its spec")
    result = store.load(what)
    spec = recorded.spec_of(result)
    return Simulated(
        spec, seconds, control=False, program=recorded.program(result, spec), kind="recorded",
        ending=recorded.ending(result), said=recorded.said(result),
    )  # fmt: skip


def _film(film: Simulated, serve: Serve) -> Hub:
    """Play it to its end, and beyond, until Ctrl-C."""
    with _served(film.hub, film, serve), _until_interrupted():
        while not film.is_over:
            film.sample()
            time.sleep(TICK_S)
        _stay(serve)
    return film.hub


def _run(wanted: Spec, text: str, serve: Serve, framework: str, out: Path, json_target: str | None) -> Result:
    from collectives.perf.step_board import Board  # noqa: PLC0415 - likewise
    from emulation.network import require_machine  # noqa: PLC0415 - likewise
    from ringlab.experiments import session  # noqa: PLC0415 - likewise
    from ringlab.web import recorded  # noqa: PLC0415 - likewise
    from ringlab.web.emulated import Emulated  # noqa: PLC0415 - likewise
    from ringlab.web.events import PhaseChanged  # noqa: PLC0415 - likewise

    require_machine()  # before there is an address to open
    with (
        tempfile.TemporaryDirectory(prefix="ringlab-view-") as folder,
        Board(Path(folder, "steps"), len(wanted.placement)) as board,
    ):
        source = Emulated(wanted, board, control=serve.token is not None)
        with _served(source.hub, source, serve):
            try:
                result = session.run_and_keep(wanted, text, out, framework, json_target, "emulated", source)
            except BaseException as error:
                source.run_ends(PhaseChanged("failed", str(error) or "interrupted"))
                raise
            source.run_ends(recorded.ending(result))
            with _until_interrupted():
                _stay(serve)
    return result


@contextmanager
def _served(hub: Hub, source: Source, serve: Serve) -> Iterator[None]:
    from ringlab.web.server import app  # noqa: PLC0415 - likewise
    from ringlab.web.serving import serving  # noqa: PLC0415 - likewise

    with serving(app(hub, source, serve.token, serve.names), serve.host, serve.port) as port:
        shown = f"[{serve.host}]" if ":" in serve.host else serve.host
        key = f"#token={serve.token}" if serve.token else ""
        say(f"open http://{shown}:{port}/{key}" + (" (whoever has this address may break links)" if key else ""))
        yield


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Ctrl-C is how a view that has nothing more to do ends: no error."""
    try:
        yield
    except KeyboardInterrupt:
        say("bye")


def _stay(serve: Serve) -> None:
    if not serve.exit_with_run:
        say("the run has ended; the page stays until Ctrl-C")
        while True:
            time.sleep(3600)


def _check(result: Result) -> None:
    """As ``ringlab run``; but a run that was disturbed on purpose is no error."""
    from ringlab.commands.run import check_outcome  # noqa: PLC0415 - likewise

    if any(check.name == "hands" for check in result.certificate.checks):
        return
    check_outcome(result)
