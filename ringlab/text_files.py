"""Reads and writes a user's files; every way in which that can fail is one clear line."""

from __future__ import annotations

import os
from pathlib import Path

from ringlab.errors import UsageError

MAX_BYTES = 8 * 2**20
"""A spec has a kilobyte, a fabric of ten thousand links less than one megabyte."""

PLOTS = (".svg", ".png")
FIGURES = (*PLOTS, ".pdf")


def read_text(path: Path, what: str) -> str:
    """The text of ``path``, UTF-8 with or without a byte order mark; ``what`` ("spec") goes into errors.

    UsageError where it is not there, not a file, not readable, too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such {what} file; check the path") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder; name a {what} file in it") from None
    except ValueError:  # a NUL in the name
        raise UsageError(f"{str(path)!r} is no path; name a {what} file") from None
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}; name a {what} file that you may read") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES >> 20} MiB; is it a {what} file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None


def write_text(target: str | Path, text: str) -> None:
    """As ``write_bytes``, in UTF-8."""
    write_bytes(target, text.encode())


def write_bytes(target: str | Path, content: bytes) -> None:
    """``content`` in the file ``target``, in one move: a reader sees the old file or the new one. Makes its folder.

    What is no file (a pipe, ``/dev/stdout``) is written as it stands. UsageError where it can't be written.
    """
    path = Path(os.path.realpath(target))
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        raise UsageError(f"{target}: can't be written: {error.strerror}; name another file") from None


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write_through(partial, content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_plot(target: str | Path) -> None:
    """UsageError for a file that is neither SVG nor PNG: before anything is computed."""
    if not str(target).endswith(PLOTS):
        raise UsageError(f"--plot {target}: neither SVG nor PNG; name a file that ends in .svg or .png")


def figure_kind(target: Path, option: str) -> str:
    """``svg`` of ``x.svg``, also ``png`` and ``pdf``. UsageError for another end: before anything slow is begun."""
    if target.suffix.lower() not in FIGURES:
        raise UsageError(f"{option} {target}: name a file that ends in {', '.join(FIGURES)}")
    return target.suffix.lower().removeprefix(".")


def write_through(path: Path, content: bytes) -> None:
    """On the disk before it is moved to its place: else a power cut leaves an empty file there."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
