"""A user's own nccl-tests or rccl-tests output as a Baseline: the text of any version, or a JSON file.

Pure: text in, Baseline out. The rows are read by ``nccl_table``, the JSON forms by ``nccl_json`` and ``rccl_json``;
here is what the lines around the rows say: which program, which library, who the ranks are. Nothing in the output says
how fast the wires are: the line rate comes from the user, or is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from collectives.baseline import nccl_json, rccl_json
from collectives.baseline.model import Baseline, BaselineError
from collectives.baseline.nccl_output import Device, Output, baseline
from collectives.baseline.nccl_table import Row, read
from collectives.baseline.nccl_version import version_of
from collectives.baseline.stated import NOTHING_STATED, Stated

_DEVICE = re.compile(
    r"Rank\s+(?P<rank>\d+)\s+(?:Group\s+(?P<group>\d+)\s+)?Pid\s+\d+\s+on\s+(?P<host>\S+)"
    r"\s+device\s+\d+\s+\[(?P<bus>[^\]]*)\]\s*(?P<gpu>.*)"
)
_VERSION = re.compile(r"nccl-tests version (?P<tests>\S+).*nccl-library=(?P<library>\d+)")
_STATED = re.compile(r"\bNCCL version (?P<library>\d[\d.]*\d)")  # NCCL's own line, with NCCL_DEBUG=VERSION
_RCCL = re.compile(r"\bRCCL version\s*:\s*(?P<library>\S+)")
_RCCL_TESTS = re.compile(r"\brccl-tests: Version\s+(?P<tests>\S+)")
_PROGRAM = re.compile(r"(?P<name>\w+_perf)\b")
_ARM = "# ringlab arm "
_PEER = re.compile(r"# Library: (?P<library>.*\S)")  # our own table's line of whoever took ringlab's place
_MEASURED = re.compile(r"measured by (?P<library>.*)\)")
_BY_RINGLAB = "measured by ringlab"  # our own table: no NCCL took part


def parse(text: str, name: str, stated: Stated = NOTHING_STATED) -> Baseline:
    """nccl-tests' text or JSON as a Baseline called ``name``; BaselineError says what is wrong and on which line."""
    return baseline(output(text, name), name, stated)


def output(text: str, name: str) -> Output:
    """What nccl-tests found, in any of its forms."""
    start = text.lstrip()[:1]
    if start == "{":
        return nccl_json.output(text, name)
    if start == "[" and rccl_json.is_one(text):
        return rccl_json.output(text, name)
    table = read(text, name)
    lines = tuple(table.unmarked())
    _one_arm(lines, name)
    programs = [found["name"] for line in lines if "ollective test" in line and (found := _PROGRAM.search(line))]
    rows = tuple(_counted(row) if table.layout.delta else row for row in table.rows if row.size_bytes > 0)
    return Output(programs[0] if programs else "", _library(lines), tuple(_devices(lines)), rows)


def _one_arm(lines: Sequence[str], name: str) -> None:
    """A ringlab run keeps the tables of all its arms in one file; as repeats of one sweep they would be mixed."""
    arms = list(dict.fromkeys(line.split()[3] for line in lines if line.startswith(_ARM) and len(line.split()) > 3))
    if len(arms) > 1:
        raise BaselineError(f"{name}: holds the arms {', '.join(arms[:4])} of a run; name the run's folder instead")


def _counted(row: Row) -> Row:
    """Of an old table, whose last column is a difference that rounding makes: nobody counted wrong elements."""
    return replace(row, out_of_place=replace(row.out_of_place, wrong=None), in_place=replace(row.in_place, wrong=None))


def _library(lines: Sequence[str]) -> str:
    """The library's version, from our own line of it, nccl-tests' first line or the library's own."""
    for line in lines:
        if found := _PEER.match(line):
            return found["library"]
    for line in lines:
        if _BY_RINGLAB in line:
            return "ringlab"
        if found := _VERSION.search(line):
            return _of_version(int(found["library"]), line)
        if found := _STATED.search(line):
            return f"NCCL {found['library']}"
    for line in lines:
        if found := _RCCL.search(line):
            return f"RCCL {found['library']}"
    tests = next((found["tests"] for line in lines if (found := _RCCL_TESTS.search(line))), "")
    return f"RCCL (rccl-tests {tests})" if tests else "NCCL (version not stated)"


def _of_version(code: int, line: str) -> str:
    """0 is no NCCL: whoever measured it may stand beside."""
    if code:
        return f"NCCL {version_of(code)}"
    found = _MEASURED.search(line)
    return found["library"] if found else "not stated (no NCCL)"


def _devices(lines: Sequence[str]) -> Iterator[Device]:
    for line in lines:
        if found := _DEVICE.search(line):
            yield Device(int(found["rank"]), int(found["group"] or 0), found["host"], found["gpu"].strip())
