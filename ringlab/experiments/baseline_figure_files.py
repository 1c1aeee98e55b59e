"""Figures into the files that a user names: SVG, PNG or PDF, by the name's end."""

from __future__ import annotations

from pathlib import Path

from ringlab.errors import UsageError
from ringlab.text_files import write_text

KINDS = (".svg", ".png", ".pdf")


def kind_of(target: Path, option: str) -> str:
    """``svg`` of ``x.svg``. UsageError for another end: asked before anything slow is begun."""
    if target.suffix.lower() not in KINDS:
        raise UsageError(f"{option} {target}: name a file that ends in {', '.join(KINDS)}")
    return target.suffix.lower().removeprefix(".")


def write(target: Path, content: bytes) -> None:
    """UsageError where it can't be written."""
    if target.suffix.lower() == ".svg":
        write_text(target, content.decode())
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{target}: can't be written: {error.strerror}; name another file") from None
