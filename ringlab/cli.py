"""The command line: ``ringlab doctor | topo | schedule | run | ab | explain | trace | ...``: see ``COMMANDS``.

Only click is imported here; a command's module is imported when the command is used, so that help is quick.
Exit codes: see ``ringlab.errors``.
"""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence

import click

from ringlab import __version__
from ringlab.errors import INTERRUPTED, OK, RunError, UsageError, exit_code_of
from ringlab.examples_first import LazyGroup

COMMANDS = {
    "doctor": "What this machine can do, and the fix for what it can't.",
    "topo": "Show, draw, check, measure or convert fabrics.",
    "schedule": "Show a collective's schedule, and prove it.",
    "run": "Run a spec: every arm on real packets, with its verdict.",
    "sweep": "Run a spec many times over, each with its changes, here or on a cluster.",
    "train": "Train a model with PyTorch's DDP over a fabric, or simulate a large one.",
    "replay": "Replay another simulator's traffic on a fabric, in numbers.",
    "plan": "Tell when communication dominates, and what fabric a budget is best spent on.",
    "ab": "Compare arms that differ in anything: which is faster, and how sure that is.",
    "runs": "List, show, tag, compare and delete runs that were kept.",
    "report": "Make one HTML file of runs, to hand in or to read; CSV and figures too.",
    "collisions": "Draw the ways of flows with thousands of seeds: how full, how slow, and where.",
    "view": "Show a run in a browser while it goes on, or as it went.",
    "explain": "Tell why each path was chosen, and what no policy can beat.",
    "trace": "Follow a packet through the switches' tables and groups.",
    "up": "Build a fabric and stay in it, at a prompt.",
    "capture": "Capture a link of a running lab, and look inside.",
    "clean": "Remove what a killed run left behind, and only that.",
    "exercise": "Learn by predicting: exercises with checks, and a class's report.",
    "baseline": "Published GPU figures, and your own, to stand beside ours.",
    "compare": "A run's shares of line rate beside those of real systems, or of another run.",
    "predict": "How long a collective takes on a real machine, with an interval.",
}

EXAMPLES = (
    "ringlab doctor",
    "ringlab topo show leaf-spine:leaves=4,spines=2,hosts=2",
    "ringlab schedule ring -n 8 --verify",
    "ringlab run examples/leaf-spine.yaml",
)


@click.command(
    cls=LazyGroup,
    package="ringlab.commands",
    summaries=COMMANDS,
    examples=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 check failed, 2 usage, 3 machine lacks something, 4 run failed, 130 interrupted.",
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error; goes anywhere.")
@click.version_option(__version__, prog_name="ringlab", message="%(prog)s %(version)s")
def command() -> None:
    """The lab bench for AI-cluster networks: which routing policy serves a collective better, on real packets."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if argv is None:  # a process of our own: a polite end cleans up as Ctrl-C does
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _invoke(words)
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - a user never sees a traceback unasked
        if debug:
            traceback.print_exc()
        return _report(error)


def _report(error: BaseException) -> int:
    """Say ``error`` on standard error and return its exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return UsageError.exit_code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        _say(f"{error.format_message().rstrip('.')}; see: {_help_of(error)}")
        return UsageError.exit_code
    exit_code = exit_code_of(error)
    if exit_code is not None:
        _say(str(error))
        return exit_code
    _say(f"{type(error).__name__}: {error}; this is an error of ringlab: run again with --debug and report it")
    return RunError.exit_code


def _invoke(words: list[str]) -> int:
    result = command.main(args=words, prog_name="ringlab", standalone_mode=False)
    return result if isinstance(result, int) else OK


def _say(message: str) -> None:
    for line in message.splitlines() or [""]:
        click.echo(f"ringlab: {line}", err=True)


def _help_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'ringlab'} --help"
