"""A run's tags: words of its user's, one a line in the run's own folder, so that they go where it goes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ringlab.errors import UsageError
from ringlab.text_files import write_text

TAGS = "tags.txt"
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def tags_of(folder: Path) -> tuple[str, ...]:
    """Sorted; none where the file is not there, or is no text."""
    try:
        lines = (folder / TAGS).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(sorted({line for line in lines if TAG.fullmatch(line)}))


def add(folder: Path, tags: Iterable[str]) -> tuple[str, ...]:
    """The tags after it. UsageError for what is no tag."""
    return _written(folder, {*tags_of(folder), *map(_checked, tags)})


def remove(folder: Path, tags: Iterable[str]) -> tuple[str, ...]:
    """The tags after it."""
    return _written(folder, set(tags_of(folder)) - set(tags))


def _checked(tag: str) -> str:
    if not TAG.fullmatch(tag):
        raise UsageError(f"{tag!r} is no tag; write letters, digits, '.', '_' and '-', at most 40 of them")
    return tag


def _written(folder: Path, tags: set[str]) -> tuple[str, ...]:
    if tags:
        write_text(folder / TAGS, "".join(f"{tag}\n" for tag in sorted(tags)))
    else:
        (folder / TAGS).unlink(missing_ok=True)
    return tuple(sorted(tags))
