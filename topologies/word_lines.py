"""Text that is words in lines, as simulators write it: the lines that say something, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator

MAX_DIGITS = 15
"""Beyond it no simulator's counter goes, and a slip of the pen does."""


def word_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Number (from 1) and words of every line that is neither empty nor begins with ``#``."""
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


def whole_number(word: str) -> int | None:
    """``"12"`` -> 12; None for all that is no whole number of 0 or more."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS else None
