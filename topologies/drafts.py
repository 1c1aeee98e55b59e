"""A fabric as another tool's file tells it, on its way to a Fabric; every error names the file's own line and word.

A *draft* is the plain data that ``formats`` reads (name, hosts, switches, links), put together piece by piece, with
the *spot* each piece came from. What such files leave unsaid (*unsaid*) is filled in, and a note says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from topologies.counts import check_links
from topologies.fabric import Fabric
from topologies.formats import from_document
from topologies.rates import format_rate
from topologies.yaml_lines import Document, DocumentError, FieldPath

Spot = tuple[int, str]
"""A line of the file, and what the file calls the thing there: ``(12, "edge h1-s1: LinkSpeedRaw")``."""

NO_HOSTS = "no node is a host"


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What to take where a file of another tool says nothing: links' rate; hosts to plug into each switch."""

    rate_bps: int = 100 * 10**9
    hosts_per_switch: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """A fabric from a file, and what the reader should know of it, a line each."""

    fabric: Fabric
    notes: tuple[str, ...] = ()


class Draft:
    """``add`` the nodes and links in their order, then ``finish``. Errors wait in ``errors`` until then."""

    def __init__(self, where: str, name: str) -> None:
        self.where = where
        self.data: dict[str, Any] = {"name": name, "hosts": [], "switches": [], "links": []}
        self.lines: dict[FieldPath, int] = {(): 1}
        self.names: dict[FieldPath, str] = {}
        self.notes: list[str] = []
        self.errors: list[str] = []

    def add_node(self, name: str, spot: Spot, *, is_host: bool) -> None:
        kind = "hosts" if is_host else "switches"
        self._mark((kind, len(self.data[kind])), spot)
        self.data[kind].append(name)

    def add_link(self, entry: Mapping[str, Any], spot: Spot, fields: Mapping[str, Spot]) -> None:
        """``entry`` has the fields of ``formats``; ``rate`` and ``latency`` may be missing."""
        path = ("links", len(self.data["links"]))
        self._mark(path, spot)
        for field, at in fields.items():
            self._mark((*path, field), at)
        self.data["links"].append(dict(entry))

    def refuse(self, spot: Spot, what: str) -> None:
        """Add the error ``WHERE:LINE: field: what; what to do``."""
        line, called = spot
        self.errors.append(": ".join(filter(None, (f"{self.where}:{line}", called, what))))

    def finish(self, unsaid: Unsaid) -> Imported:
        """The fabric. DocumentError with every error that was found."""
        if not self.errors:
            self._fill_in(unsaid)
        if self.errors:
            raise DocumentError(self.errors)
        document = Document(self.where, self.data, self.lines, names=self.names)
        return Imported(from_document(document), tuple(f"{self.where}: {note}" for note in self.notes))

    def _mark(self, path: FieldPath, spot: Spot) -> None:
        self.lines[path], self.names[path] = spot

    def _fill_in(self, unsaid: Unsaid) -> None:
        links, rate = self.data["links"], format_rate(unsaid.rate_bps)
        silent = [link for link in links if "rate" not in link]
        for link in silent:
            link["rate"] = rate
        if silent:
            self.notes.append(f"{len(silent)} of {len(links)} links state no rate; {rate}b/s was taken (--rate)")
        try:
            self.notes += plug_hosts(self.data, unsaid)
        except ValueError as error:
            self.refuse((1, ""), str(error))


def plug_hosts(data: dict[str, Any], unsaid: Unsaid) -> list[str]:
    """Plug ``unsaid.hosts_per_switch`` hosts into each switch of ``data``; what was done, for the reader.

    ValueError where hosts are asked for and there are some, or where there are none and none are asked for.
    """
    count, rate = unsaid.hosts_per_switch, format_rate(unsaid.rate_bps)
    if not count:
        if not data["hosts"]:
            raise ValueError(f"{NO_HOSTS}; mark the hosts (kind: host), or add some with --hosts-per-switch N")
        return []
    if data["hosts"]:
        raise ValueError(f"has {len(data['hosts'])} hosts already; leave --hosts-per-switch out")
    check_links(count * len(data["switches"]))
    taken = set(data["switches"])
    wanted = len(data["switches"]) * count
    names = [name for name in (f"h{number}" for number in range(1, wanted + len(taken) + 1)) if name not in taken]
    data["hosts"] += names[:wanted]
    for place, host in enumerate(data["hosts"]):
        data["links"].append({"a": host, "b": data["switches"][place // count], "rate": rate})
    return [f"{count} hosts were plugged into each of {len(taken)} switches, at {rate}b/s"]


def fit_names(wanted: Iterable[str]) -> list[str]:
    """Names that a fabric takes, each one's own: ``New York`` -> ``New-York``, ``0`` -> ``n0``, a second one ``-2``.

    A name that fits as it is stays as it is, wherever it stands.
    """
    names = list(wanted)
    taken = {name for name in names if fitting(name) == name}
    result, kept, copies = [], set[str](), Counter[str]()
    for name in names:
        fit = base = fitting(name)
        if base != name or name in kept:
            while fit in taken:
                copies[base] += 1
                fit = f"{base}-{copies[base] + 1}"
        kept.add(name)
        taken.add(fit)
        result.append(fit)
    return result


def fitting(name: str) -> str:
    """``name`` in ASCII letters, digits, - and _, a letter first."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^A-Za-z0-9_-]+", "-", plain)
    if cleaned != name:
        cleaned = cleaned.strip("-")
    return cleaned if cleaned[:1].isalpha() else f"n{cleaned}"


def note_renamed(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """One line on the names that had to change; none where none had."""
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    if not changed:
        return []
    old, new = changed[0]
    return [f"{len(changed)} nodes were renamed to letters, digits, - and _: {old!r} is {new}"]


def stem(where: str) -> str:
    """``maps/geant.graphml`` -> ``geant``: the name of a fabric whose file states none."""
    return PurePath(where).name.partition(".")[0] or "fabric"
