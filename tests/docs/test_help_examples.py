"""The examples at the head of each command's help: at least one of each command runs, and all of them parse."""

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from ringlab.cli import command as ringlab
from ringlab.examples_first import Command

sys.path.insert(0, str(Path(__file__).parent))
from documents import bash

pytestmark = pytest.mark.timeout(300)

ELSEWHERE = (
    (r"ringlab (run|ab|train) (?!.*(simulated|dry-run))", "emulates"),
    (r"ringlab up (?!.*dry-run)|--machines", "emulates"),
    (r"ringlab capture (link |leaf|'leaf|'h1)", "needs a lab that is up"),
    (r"--calibrate", "takes a minute of a quiet machine"),
    (r"ringlab view (?!.*exit-with-run)", "serves until Ctrl-C"),
    (r"exercise (start|solution) \d$", "is there already, or asks first"),
    (r"--engine|--scheduler", "needs a cluster"),
    (r"traces/|\bdot\b|\bmn\b", "needs files or programs of the user's"),
    (r"--emulated", "emulates"),
)
"""What no pure test runs, and why."""


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for word in command.list_commands(context):
        below = command.get_command(context, word)
        assert below is not None
        yield from _commands(below, f"{name} {word}")


COMMANDS = dict(_commands(ringlab, "ringlab"))
ONLY_EMULATED = {"ringlab capture link"}
"""Commands without an example that runs here; tests of their own run them."""

UNFINISHED = re.compile(r"exercise check")
"""What ends with 1, as it checks an exercise of which nothing is written yet."""


def _runs_here(example: str) -> bool:
    return not any(re.search(pattern, example) for pattern, _ in ELSEWHERE)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_examples_and_one_that_runs_here(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, Command), f"{name}: its help has no examples"
    assert command.examples, name
    assert name in ONLY_EMULATED or any(map(_runs_here, command.examples)), command.examples


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ONLY_EMULATED])
def test_its_examples_run(name: str, a_bench: Callable[[], Path]) -> None:
    folder = a_bench()
    for example in COMMANDS[name].examples:
        if _runs_here(example):
            done = bash(example, folder)
            wanted = 1 if UNFINISHED.search(example) else 0
            assert done.returncode == wanted, f"{example}: exit code {done.returncode}\n{done.stdout[-3000:]}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_word_of_the_other_examples_is_known(name: str) -> None:
    """Those that don't run here are parsed: a misspelt option in an example is the worst kind."""
    for example in COMMANDS[name].examples:
        for words in _commands_of(example):
            if words[:1] == ["ringlab"] and not _runs_here(example):
                _parse(words[1:])


def _commands_of(line: str) -> Iterator[list[str]]:
    """The simple commands of a shell line, their words without quotes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&>;")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&>;"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def _parse(words: list[str]) -> None:
    command: click.Command = ringlab
    context = click.Context(command)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, name
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_context(command.name, words, resilient_parsing=False)
