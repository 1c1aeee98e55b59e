"""Talk, for people: to standard error, so that standard output is data alone."""

from __future__ import annotations

import click


def say(text: str) -> None:
    click.echo(f"ringlab: {text}", err=True)
