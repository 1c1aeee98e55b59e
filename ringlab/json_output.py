"""``--json FILE|-``, the same in every command: data as one JSON object, to a file or to standard output."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from ringlab.text_files import write_text

STDOUT = "-"


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option; the command gets ``json_target: str | None`` (a path, or ``-`` for standard output).

    With ``-`` a command prints nothing else on standard output.
    """
    return click.option(
        "--json",
        "json_target",
        metavar="FILE|-",
        help="Write the result as JSON to FILE, or with - to standard output.",
    )(function)


def write_json(target: str, data: object) -> None:
    """``data`` as indented JSON at ``target``. UsageError where the file can't be written."""
    text = json.dumps(data, indent=2, allow_nan=False) + "\n"
    if target == STDOUT:
        click.echo(text, nl=False)
    else:
        write_text(target, text)
