"""What ``ringlab replay`` runs, from its files: GOAL, htsim's connection matrices, Chakra traces of a file a rank."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ringlab.errors import UsageError

if TYPE_CHECKING:
    from collectives.interchange.trace import Trace
    from topologies.htsim_traffic import Matrix

MAX_BYTES = 256 * 2**20
"""Of a file, and of what is packed in it; a replay of more would not end."""

MAX_RANKS = 65536

_OF_RANK = re.compile(r"(?P<prefix>.+)\.(?P<rank>[0-9]{1,6})\.(?P<ending>et|json)")
_GZIP = b"\x1f\x8b"


def read(path: Path, groups: Path | None = None) -> Trace | Matrix:
    """What is in ``path``, in the form that it shows; of a Chakra trace all ranks' files, whichever of them is named.

    UsageError or DocumentError where it can't be read: which file, where in it, and what to do.
    """
    from collectives.interchange import goal_reader  # noqa: PLC0415 - only where it is used
    from collectives.interchange.trace import TraceError  # noqa: PLC0415 - likewise
    from topologies import htsim_traffic  # noqa: PLC0415 - likewise

    if not path.exists() and Path(f"{path}.0.et").exists():
        path = Path(f"{path}.0.et")
    try:
        content = _content(path)
        text = _text(content)
        if text is not None and goal_reader.is_goal(text):
            return goal_reader.read(text, str(path))
        if text is not None and htsim_traffic.is_matrix(text):
            return htsim_traffic.loads(text, str(path))
        return _chakra(path, groups)
    except TraceError as error:
        raise UsageError(str(error)) from None


def _chakra(path: Path, groups: Path | None) -> Trace:
    from collectives.interchange import chakra  # noqa: PLC0415 - likewise

    named = _OF_RANK.fullmatch(path.name)
    if named is None:
        what = "is no GOAL and no connection matrix, and of a Chakra trace the name tells the rank; name PREFIX.0.et"
        raise UsageError(f"{path}: {what}")
    told = chakra.read_groups(_content(groups).decode("utf-8", "replace"), str(groups)) if groups else None
    found = list(_ranks(path, named["prefix"], named["ending"]))
    return chakra.read([(str(file), _content(file)) for file in found], told)


def _ranks(path: Path, prefix: str, ending: str) -> Iterator[Path]:
    """The files of all ranks, from 0. UsageError where one is missing."""
    there = {}
    for file in path.parent.iterdir():
        found = _OF_RANK.fullmatch(file.name)
        if found and (found["prefix"], found["ending"]) == (prefix, ending):
            there[int(found["rank"])] = file
    if len(there) > MAX_RANKS:
        raise UsageError(f"{path}: a trace of {len(there)} ranks; {MAX_RANKS} are the most")
    for rank in range(len(there)):
        if rank not in there:
            name = path.with_name(f"{prefix}.{rank}.{ending}")
            raise UsageError(f"{name}: no such file, and there are {len(there)} of this trace; ranks count from 0")
        yield there[rank]


def _content(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are packed by gzip, as Chakra's tools do. UsageError says why not."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if content.startswith(_GZIP):
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder; name a file in it") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UsageError(f"{path}: is packed by gzip, and broken; pack it again") from None
    except ValueError:  # a NUL in the name
        raise UsageError(f"{str(path)!r} is no path; name a file") from None
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}; name a file that you may read") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES >> 20} MiB; take fewer steps, or ranks")
    return content


def _text(content: bytes) -> str | None:
    """None where it is no UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
