"""A fabric as a user names it: by a short form, or by a file."""

from __future__ import annotations

from pathlib import Path

from ringlab.errors import UsageError
from ringlab.text_files import read_text
from topologies import catalog, formats
from topologies.fabric import Fabric, FabricError
from topologies.yaml_lines import DocumentError
from topologies.yaml_lines import read as read_document


class InvalidFabricError(UsageError):
    """A fabric that was read and can't be, in contrast to a file that can't be read."""


SUFFIXES = (".yaml", ".yml", ".json")


def read(wanted: str) -> Fabric:
    """``leaf-spine:leaves=4,spines=2,hosts=2`` or ``fabrics/mine.yaml``.

    UsageError where a file can't be read; InvalidFabricError, a line an error, where it holds no fabric.
    """
    if is_file_name(wanted):
        return read_file(Path(wanted))
    try:
        return catalog.from_short_form(wanted)
    except FabricError as error:
        hint = "" if ":" in wanted else f" (nor is there a file {wanted!r})"
        raise InvalidFabricError(f"{error}{hint}") from None


def read_file(path: Path) -> Fabric:
    """The fabric in a YAML or JSON file. Raises as ``read``."""
    try:
        document = read_document(read_text(path, "fabric"), str(path))
        if isinstance(document.data, dict) and "arms" in document.data:
            raise InvalidFabricError(f"{path}: is a spec and no fabric; name what stands in its field fabric")
        return formats.from_document(document)
    except DocumentError as error:
        raise InvalidFabricError(str(error)) from None


def is_file_name(wanted: str) -> bool:
    """A file there is, or a name that can only be meant as one."""
    return wanted.endswith(SUFFIXES) or Path(wanted).is_file()
