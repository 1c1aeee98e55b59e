"""A fabric as a user names it: by a short form, or by a file of any format that is read."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from ringlab.errors import UsageError
from ringlab.talk import say
from ringlab.text_files import read_text
from topologies import catalog, exchange, formats
from topologies.drafts import Unsaid
from topologies.fabric import Fabric, FabricError
from topologies.yaml_lines import Document, DocumentError, Problems


class InvalidFabricError(UsageError):
    """A fabric that was read and can't be, in contrast to a file that can't be read."""


SUFFIXES = (".yaml", ".yml", ".json", ".graphml", ".topo", ".ns3", ".simai")

FILE = "file:"
"""``fabric: file:fabrics/mine.yaml``; a path that ends in one of the suffixes needs no such mark."""


def read(wanted: str, source: str | None = None, unsaid: Unsaid | None = None) -> Fabric:
    """``leaf-spine:leaves=4,spines=2,hosts=2`` or ``fabrics/mine.yaml``. For a file, as ``read_file``.

    UsageError where a file can't be read; InvalidFabricError, a line an error, where it holds no fabric.
    """
    if source or is_file_name(wanted):
        return read_file(Path(wanted), source, unsaid)
    try:
        return catalog.from_short_form(wanted)
    except FabricError as error:
        hint = "" if ":" in wanted else f" (nor is there a file {wanted!r})"
        raise InvalidFabricError(f"{error}{hint}") from None


def read_file(path: Path, source: str | None = None, unsaid: Unsaid | None = None) -> Fabric:
    """The fabric in a file. Raises as ``read``.

    Its format is ``source``, or what the text itself shows. What had to be taken for granted (``unsaid``) is said on
    standard error.
    """
    try:
        imported = exchange.loads(read_text(path, "fabric"), str(path), source, unsaid)
    except DocumentError as error:
        raise InvalidFabricError(str(error)) from None
    for note in imported.notes:
        say(note)
    return imported.fabric


def is_file_name(wanted: str) -> bool:
    """A file there is, or a name that can only be meant as one."""
    return wanted.endswith(SUFFIXES) or Path(wanted).is_file()


def of_spec(wanted: str | dict[str, Any], document: Document, folder: Path, problems: Problems) -> Fabric | None:
    """A spec's fabric, by short form, by file or in place; None, and problems added, where it is wrong."""
    try:
        if isinstance(wanted, str):
            if wanted.startswith(FILE) or wanted.endswith(SUFFIXES):
                return read_file(folder / wanted.removeprefix(FILE).strip())
            return catalog.from_short_form(wanted)
        if "file" in wanted:
            return read_file(folder / _path(wanted))
        part = document.under("fabric")
        return formats.from_document(part) if document.lines else _of_data(part)
    except DocumentError as error:
        problems.errors += error.errors
    except (FabricError, UsageError) as error:
        for line in str(error).splitlines():
            problems.add(("fabric",), line)
    return None


def _of_data(part: Document) -> Fabric:
    """In place, and from no text: a sweep's scenarios have equal ones, which shall be one."""
    try:
        return _of_json(json.dumps(part.data))
    except DocumentError:
        return formats.from_document(part)  # says it of its own place


@lru_cache(16)
def _of_json(text: str) -> Fabric:
    return formats.from_document(Document("fabric", json.loads(text)))


def file_named(wanted: object) -> str | None:
    """The file that a spec's ``fabric`` names, None where it names none."""
    match wanted:
        case str() if wanted.startswith(FILE) or wanted.endswith(SUFFIXES):
            return wanted.removeprefix(FILE).strip()
        case {"file": str(name), **others} if not others:
            return name
    return None


def _path(wanted: dict[str, Any]) -> str:
    if len(wanted) > 1:
        others = ", ".join(key for key in wanted if key != "file")
        raise UsageError(f"{others} can't stand beside file; write the file alone, or the fabric in its place")
    if not isinstance(wanted["file"], str):
        raise UsageError("file is no path; write one like {file: fabrics/mine.yaml}, as seen from the spec")
    return wanted["file"]
