"""Habits of the terminal: completion, no colours where none are wanted, tables that fit, data for programs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ringlab.cli import command as ringlab

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b"
SPEC = "examples/leaf-spine.yaml"

NO_DATA = {
    "ringlab topo convert": "what it writes is data",
    "ringlab topo draw": "what it writes is a drawing",
    "ringlab report": "--csv has the data",
    "ringlab up": "a prompt",
    "ringlab capture link": "what it writes is a capture; 'capture show --json' reads it",
    "ringlab view": "a page; its state is JSON at /state",
    "ringlab exercise start": "what it writes are files",
    "ringlab exercise solution": "prints a program",
    "ringlab exercise report": "--csv has the data",
    "ringlab baseline plot": "what it writes is a drawing",
}
"""Commands without ``--json``, and why."""


def _run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a user starts it who asked for nothing."""
    unasked = {name: value for name, value in os.environ.items() if name != "RINGLAB_PROGRESS"}
    return subprocess.run(
        [sys.executable, "-m", "ringlab", *words], cwd=ROOT, env={**unasked, **environment}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


def _leaves(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        found = group.get_command(context, word)
        assert found is not None
        if isinstance(found, click.Group):
            yield from _leaves(found, f"{name} {word}")
        else:
            yield f"{name} {word}", found


def test_every_command_that_prints_data_has_json() -> None:
    assert isinstance(ringlab, click.Group)
    without = {
        name for name, found in _leaves(ringlab, "ringlab")
        if not any("--json" in param.opts for param in found.params)
    }  # fmt: skip
    assert without <= set(NO_DATA), f"neither --json nor a reason: {sorted(without - set(NO_DATA))}"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ringlab sche", {"schedule"}),
        ("ringlab schedule ring", {"ring"}),
        ("ringlab schedule h", {"halving-doubling", "hierarchical"}),
        ("ringlab topo show leaf", {"leaf-spine:"}),
        ("ringlab trace ring:switches=4,hosts=1 h1 h2 --policy sh", {"shortest"}),
        ("ringlab run x.yaml --baseline b200", {"b200-2x8-roce3200-allreduce-a4"}),
    ],
)
def test_a_shell_is_told_how_a_word_goes_on(typed: str, offered: set[str]) -> None:
    words = typed.split()
    done = _run(COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1), _RINGLAB_COMPLETE="bash_complete")
    # run as a module, click names the variable after the program that it believes to be
    assert {line.split(",", 1)[1] for line in done.stdout.splitlines() if "," in line} >= offered, done


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_one_line_to_turn_on(shell: str) -> None:
    done = _run(_RINGLAB_COMPLETE=f"{shell}_source")
    assert "_ringlab_completion" in done.stdout


@pytest.mark.parametrize("words", [["run", SPEC, "--backend", "simulated", "--out"], ["baseline", "list"]])
def test_colours_come_only_where_they_are_wanted(words: list[str], tmp_path: Path) -> None:
    words = [*words, str(tmp_path)] if words[-1] == "--out" else words
    assert ESCAPE not in _run(*words, NO_COLOR="", TERM="xterm-256color").stdout
    forced = _run(*words, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert f"{ESCAPE}[" in forced
    plain = _run(*words, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").stdout
    assert not re.search(rf"{ESCAPE}\[[0-9;]*3[0-7]", plain), "a colour in spite of NO_COLOR"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_fit(width: int, tmp_path: Path) -> None:
    done = _run("run", SPEC, "--backend", "simulated", "--out", str(tmp_path), COLUMNS=str(width))
    table = [line for line in done.stdout.splitlines() if "plots:" not in line and "result:" not in line]
    assert max(map(len, table)) <= width


def test_a_pipe_hears_data_alone(tmp_path: Path) -> None:
    done = _run("run", SPEC, "--backend", "simulated", "--out", str(tmp_path), "--json", "-")
    assert done.stdout.startswith("{")
    assert done.stderr == ""
