"""``ringlab ab``: compare arms that differ in anything: policies on one fabric, specs, or an A/B file's arms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ringlab.commands.backend import backend_option
from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import json_option

if TYPE_CHECKING:
    from ringlab.experiments.ab.ab_file import Wanted

ECMP_SEEDS = [1, 2, 3]  # one draw of a hash says little

OF_A_SPEC = ("algorithm", "channels", "placement", "sizes", "baseline")
"""Options that write a spec: there is one already where a file is given."""

OF_A_TEST = ("blocks", "time_text", "within", "same", "aa", "seed")
"""Options of a test in blocks: with one of them policies are compared so too."""

FILES = (".yaml", ".yml", ".json")


@click.command(
    cls=Command,
    examples=[
        "ringlab ab leaf-spine:leaves=4,spines=2,hosts=2 ecmp pinned",
        "ringlab ab leaf-spine:leaves=4,spines=2,hosts=2 ecmp pinned --blocks 20 --within 2% --aa",
        "ringlab ab examples/ab.yaml --time 10m",
        "ringlab ab examples/ab.yaml --backend simulated",
        "ringlab ab today.yaml proposed.yaml --aa",
        "ringlab ab ring:switches=6,hosts=1 spanning-tree shortest --algorithm bidirectional-ring",
        "ringlab ab fat-tree:k=8 ecmp spray pinned --backend simulated",
        "ringlab ab fabric.yaml ecmp:seed=7 pinned --size 16M --repeats 5 --json ab.json",
    ],
)
@click.argument("what")
@click.argument("arms", nargs=-1)
@click.option("--algorithm", default="ring", show_default=True)
@click.option("--channels", type=int, default=1, show_default=True)
@click.option("--placement", default="interleaved", show_default=True, help="contiguous or interleaved.")
@click.option("--size", "sizes", multiple=True, default=["1M", "8M"], show_default=True, help="Give it several times.")
@click.option("--repeats", type=int, default=3, show_default=True, help="Turns a policy; in a test, launches a turn.")
@click.option("--scale", type=float, help="Time dilation; default: what this machine carries.")
@click.option("--baseline", help="A published baseline to stand beside it.")
@click.option("--blocks", type=click.IntRange(2, 1000), help="A test: most blocks, a turn of every arm each.  [20]")
@click.option("--time", "time_text", metavar="10m", help="A test: no block begins that would end later.")
@click.option("--within", metavar="2%", help="A test: stop when every interval is as narrow.  [2%]")
@click.option("--same", metavar="2%", help="A test: a difference that is too small to matter.  [2%]")
@click.option("--aa", is_flag=True, help="A test: first the same arm twice, under two names.")
@click.option("--seed", type=click.IntRange(min=0), help="A test: of the order of turns.  [any; it is kept]")
@click.option("--framework", type=click.Choice(["auto", "ryu", "os_ken"]), default="auto", show_default=True)
@backend_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    what: str,
    arms: tuple[str, ...],
    framework: str,
    backend: str,
    out: Path,
    json_target: str | None,
    repeats: int,
    scale: float | None,
    **options: Any,
) -> None:
    """Compare arms: which is faster, by how much, and how sure that is.

    \b
    WHAT is an A/B file (examples/ab.yaml): its arms differ in anything.
    WHAT ARMS... are spec files, an arm each, the first compared with the others.
    WHAT ARMS... are a fabric (a short form or a file) and policies: a ring
    allreduce, one rank a host; ecmp without a seed is three draws. The last
    policy is compared with each of the others in one run, or, with an option
    of a test, the first with the others in a test.

    A test goes in blocks of random order until the intervals are narrow or the budget is spent; turns that can't be
    believed are made again. The verdict is faster, slower, same within x % or unknown.

    Exit code 1 if the bench is not fit to tell, or a run is invalid.
    """  # noqa: D301 - click's mark
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    test = {name: options.pop(name) for name in OF_A_TEST}
    are_files = bool(arms) and all(arm.endswith(FILES) for arm in arms)
    if not arms and not what.endswith(FILES) and not Path(what).is_file():
        raise UsageError(f"{what}: is no A/B file; after a fabric name policies: ringlab ab {what} ecmp pinned")
    if not arms or are_files:
        _refuse(given, (*OF_A_SPEC, "repeats"), "an A/B of files has it in its specs")
        _test_of_files(what, arms, backend, test, out, framework, scale, json_target, given)
    elif given & set(OF_A_TEST):
        _refuse(given, ("baseline",), "a test has none")
        options["repeats"] = repeats
        _test_of_policies(what, arms, backend, test, out, framework, scale, json_target, options)
    else:
        _one_run(what, arms, backend, out, framework, json_target, {"repeats": repeats, "scale": scale, **options})


def _refuse(given: set[str], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if name in given:
            raise UsageError(f"--{'size' if name == 'sizes' else name}: {why}; leave it out")


def _test_of_files(
    what: str,
    arms: tuple[str, ...],
    backend: str,
    test: dict[str, Any],
    out: Path,
    framework: str,
    scale: float | None,
    json_target: str | None,
    given: set[str],
) -> None:
    from ringlab.experiments.ab import ab_file  # noqa: PLC0415 - only where it is used

    if arms:
        wanted, text = ab_file.of_specs([Path(what), *map(Path, arms)], _backend_of_a_test(backend))
    else:
        wanted, text = ab_file.read(Path(what))
        if "backend" in given:
            wanted = ab_file.on_backend(wanted, _backend_of_a_test(backend))
    _test(wanted, text, test, out, framework, scale, json_target)


def _test_of_policies(
    what: str,
    policies: tuple[str, ...],
    backend: str,
    test: dict[str, Any],
    out: Path,
    framework: str,
    scale: float | None,
    json_target: str | None,
    options: dict[str, Any],
) -> None:
    import yaml  # noqa: PLC0415 - only where it is used

    from ringlab.experiments.ab import ab_file  # noqa: PLC0415 - likewise

    if len(policies) < 2:
        raise UsageError(f"{policies[0]} alone: an A/B needs two policies; name another")
    written = {
        "base": _written(what, options),
        "arms": {word: {"policy": _entry(policy)} for word, policy in zip(_words(policies), policies, strict=True)},
        "backend": _backend_of_a_test(backend),
    }
    text = yaml.safe_dump(written, sort_keys=False)
    _test(ab_file.loads(text, "ab"), text, test, out, framework, scale, json_target)


def _test(
    wanted: Wanted,
    text: str,
    test: dict[str, Any],
    out: Path,
    framework: str,
    scale: float | None,
    json_target: str | None,
) -> None:
    from ringlab.experiments.ab import ab_file, session  # noqa: PLC0415 - only where it is used
    from ringlab.experiments.spec import check_scale  # noqa: PLC0415 - likewise

    check_scale(scale)
    wanted = ab_file.with_changes(wanted, **test)
    session.check_outcome(session.run_and_keep(wanted, text, out, framework, scale, json_target))


def _backend_of_a_test(backend: str) -> str:
    if backend in ("both", "auto"):
        raise UsageError(
            f"--backend {backend}: a test is emulated or simulated; to compare the two, give an arm of an A/B file "
            "its own: backend: simulated"
        )
    return backend


def _one_run(
    what: str,
    policies: tuple[str, ...],
    backend: str,
    out: Path,
    framework: str,
    json_target: str | None,
    options: dict[str, Any],
) -> None:
    """The arms take turns within one run."""
    import yaml  # noqa: PLC0415 - only where it is used

    from ringlab.commands.run import check_outcome  # noqa: PLC0415 - likewise
    from ringlab.experiments import session  # noqa: PLC0415 - likewise
    from ringlab.experiments import spec as specs  # noqa: PLC0415 - likewise

    written = {**_written(what, options), "arms": [_entry(policy) for policy in policies]}
    text = yaml.safe_dump(written, sort_keys=False)
    check_outcome(session.run_and_keep(specs.loads(text, "ab"), text, out, framework, json_target, backend))


def _written(fabric: str, options: dict[str, Any]) -> dict[str, Any]:
    """A spec without its arms."""
    from ringlab.experiments import fabrics  # noqa: PLC0415 - only where it is used

    return {
        "name": "ab",
        "fabric": {"file": str(Path(fabric).absolute())} if fabrics.is_file_name(fabric) else fabric,
        "collective": "all_reduce",
        **{name: list(value) if name == "sizes" else value for name, value in options.items() if value is not None},
    }


def _entry(policy: str) -> Any:
    return {"ecmp": {"seeds": ECMP_SEEDS}} if policy == "ecmp" else policy


def _words(policies: Sequence[str]) -> list[str]:
    """The policies' texts as names of arms. UsageError where one is there twice."""
    from ringlab.experiments.ab.ab_file import MAX_NAME  # noqa: PLC0415 - only where it is used

    found: list[str] = []
    for place, policy in enumerate(policies):
        if policy in policies[:place]:
            raise UsageError(f"{policy} is there twice; --aa compares the first policy with itself")
        word = re.sub(r"[^A-Za-z0-9._+:-]+", ":", policy)[-MAX_NAME:].lstrip("._+:-")
        found.append(f"{word[: MAX_NAME - 3]}:{place}" if word in found or not word else word)
    return found
