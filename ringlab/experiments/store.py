"""Where results are kept: ``runs/<id>/`` with the result, nccl-tests' text, the plot and the spec.

    result.json  nccl-tests.txt  busbw.svg  busbw.png  spec.yaml

A run is there whole or not at all, and is never overwritten: it is written beside its place and moved there at the end.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ringlab.errors import RunError, UsageError
from ringlab.experiments.result import Result, ResultError, dumps, loads
from ringlab.text_files import write_through

RESULT = "result.json"
AB = "ab.json"
NCCL_TESTS = "nccl-tests.txt"
SVG = "busbw.svg"
PNG = "busbw.png"
SPEC = "spec.yaml"
NOTHING: Mapping[str, bytes] = {}


def run_id(created: datetime, name: str, suffix: str) -> str:
    """``20260314T150926Z-leaf-spine-3f7a``: sorts by time; ``suffix`` keeps two runs of one second apart."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "run"
    return f"{created.astimezone(UTC):%Y%m%dT%H%M%SZ}-{words[:40].rstrip('-')}-{suffix}"


def save(
    root: Path,
    result: Result,
    nccl_tests: Mapping[tuple[str, int], str],
    spec_text: str,
    beside: Mapping[str, bytes] = NOTHING,
) -> Path:
    """Keep ``result`` in ``root/<result.id>`` and return that folder.

    ``nccl_tests`` holds the text of each arm's name and block (from 1); ``beside`` are further files. RunError where
    the run is already there or can't be written; nothing is left half done.
    """
    from ringlab.experiments.plot import png, svg  # noqa: PLC0415 - matplotlib is slow to import

    return save_files(
        root / result.id,
        {
            RESULT: dumps(result).encode(),
            NCCL_TESTS: _joined(nccl_tests).encode(),
            SVG: svg(result).encode(),
            PNG: png(result),
            SPEC: spec_text.encode(),
            **beside,
        },
    )


def check_root(root: Path) -> None:
    """RunError where runs can't be kept in ``root``: before hours of measuring. It is made."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{root}: can't be made: {error.strerror}; name another folder by --out") from None
    if not os.access(root, os.W_OK):
        raise RunError(f"{root}: can't be written; is the folder yours?")


def save_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Make ``folder`` with ``files`` in one move. RunError if it is there already, or can't be made."""
    if folder.exists():
        raise RunError(f"{folder}: is there already, and a run is never overwritten; give the run another id")
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        partial.mkdir(parents=True)
        try:
            for name, content in files.items():
                write_through(partial / name, content)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"{folder}: can't be written: {error.strerror}; is the folder yours, and the disk full?"
        ) from None
    return folder


def load(path: Path) -> Result:
    """The result in a run's folder, or in a file of ``--json``. UsageError if there is none."""
    file = path / RESULT if path.is_dir() else path
    try:
        return loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(f"{file}: can't be read: {reason}; results are in runs/<id>/{RESULT}") from None
    except ResultError as error:
        raise UsageError(f"{file}: {error}") from None


def _joined(nccl_tests: Mapping[tuple[str, int], str]) -> str:
    """One text, each part under a line that readers of nccl-tests skip as a comment."""
    return "\n".join(
        f"# ringlab arm {arm} block {block}\n{text.rstrip()}\n" for (arm, block), text in nccl_tests.items()
    )
