"""A fabric as YAML (or JSON), and back, exactly.

In full, every link by itself; ``ports`` and ``name`` only where they differ from what cabling in order gives::

    name: pair
    hosts: [h1, h2]
    switches: [s1]
    links:
    - {a: h1, b: s1, rate: 100G, latency: 1us}
    - {a: h2, b: s1, rate: 100G, latency: 1us}

or by a generator, with the parameters of its short form and an optional name::

    generator: leaf-spine
    leaves: 4
    spines: 2
    hosts: 2
    rate: 100G

This module takes and gives text; reading the file is the caller's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml

from topologies.catalog import GENERATORS, generate
from topologies.counts import ParameterError
from topologies.fabric import Cable, Fabric, FabricError, Link, Port
from topologies.rates import format_latency, format_rate, parse_latency, parse_rate
from topologies.spelling import did_you_mean
from topologies.yaml_lines import Document, DocumentError, FieldPath, Problems, name_kind, read

FIELDS = ("name", "hosts", "switches", "links")
LINK_FIELDS = ("a", "b", "rate", "latency", "ports", "name")
REQUIRED_LINK_FIELDS = ("a", "b", "rate")
LIKE_THIS = "write a link like {a: h1, b: s1, rate: 100G, latency: 1us}"


def loads(text: str, where: str = "fabric") -> Fabric:
    """The fabric in YAML or JSON ``text``; ``where`` (a file's name) goes into errors.

    Raises DocumentError, a ValueError with one line an error: ``WHERE:LINE: field: what; what to do``.
    """
    return from_document(read(text, where))


def from_data(data: object, where: str = "fabric") -> Fabric:
    """The fabric that ``to_data`` gave, or a generator's mapping. DocumentError names the field."""
    return from_document(Document(where, data))


def from_document(document: Document) -> Fabric:
    """As ``loads``, for a document (or a part of one) already read."""
    problems = Problems(document)
    if not isinstance(document.data, dict):
        problems.add((), f"is {name_kind(document.data)}; write {', '.join(FIELDS)}, or a generator")
        problems.raise_any()
    if "generator" in document.data:
        return _generated(document, problems)
    return _listed(document, problems)


def dumps(fabric: Fabric) -> str:
    """YAML that ``loads`` reads back to an equal fabric."""
    data = to_data(fabric)
    lines = [
        f"name: {plain_or_quoted(data['name'])}",
        f"hosts: [{', '.join(map(plain_or_quoted, data['hosts']))}]",
        f"switches: [{', '.join(map(plain_or_quoted, data['switches']))}]",
        "links:" if data["links"] else "links: []",
    ]
    return "\n".join([*lines, *(f"- {{{_flow(link)}}}" for link in data["links"])]) + "\n"


def to_data(fabric: Fabric) -> dict[str, Any]:
    """Plain data for JSON and YAML; ``from_data`` reads it back."""
    plain = Fabric.cabled(fabric.name, fabric.hosts, fabric.switches, map(_cable, fabric.links)).links
    in_order = all((link.a, link.b) == (cabled.a, cabled.b) for link, cabled in zip(fabric.links, plain, strict=True))
    links = []
    for link, cabled in zip(fabric.links, plain, strict=True):
        entry: dict[str, Any] = {"a": link.a.node, "b": link.b.node, "rate": format_rate(link.rate_bps)}
        entry["latency"] = format_latency(link.latency_s)
        if not in_order:
            entry["ports"] = [link.a.number, link.b.number]
        if link.name != cabled.name:
            entry["name"] = link.name
        links.append(entry)
    return {"name": fabric.name, "hosts": [*fabric.hosts], "switches": [*fabric.switches], "links": links}


def _generated(document: Document, problems: Problems) -> Fabric:
    settings = {key: value for key, value in document.data.items() if key not in ("generator", "name")}
    generator, name = document.data["generator"], document.data.get("name")
    if not isinstance(generator, str) or generator not in GENERATORS:
        problems.add(("generator",), f"no generator {generator!r}; {did_you_mean(str(generator), GENERATORS)}")
    if "name" in document.data and not isinstance(name, str):
        problems.add(("name",), f"is {name_kind(name)}; write text, in quotes if need be")
    problems.raise_any()
    try:
        fabric = generate(generator, settings)
    except ParameterError as error:
        problems.add((error.parameter,), error.what)
    except FabricError as error:
        problems.add((), str(error))
    problems.raise_any()
    return fabric if name is None else replace(fabric, name=name)


def _listed(document: Document, problems: Problems) -> Fabric:
    data: dict[str, Any] = document.data
    for key in data:
        if key not in FIELDS:
            problems.add((key,), f"a fabric has no such field; {did_you_mean(str(key), FIELDS)}")
    for key in FIELDS:
        if key not in data:
            problems.add((key,), f"is missing; a fabric has {', '.join(FIELDS)}, or a generator")
    if "name" in data and not isinstance(data["name"], str):
        problems.add(("name",), f"is {name_kind(data['name'])}; write text, in quotes if need be")
    for key in ("hosts", "switches"):
        _check_names(data.get(key, []), key, problems)
    if not isinstance(data.get("links", []), list):
        problems.add(("links",), f"is {name_kind(data['links'])}; write a list, one link an item")
    problems.raise_any()
    nodes = {*data["hosts"], *data["switches"]}
    cables = [_read_link(entry, ("links", index), nodes, problems) for index, entry in enumerate(data["links"])]
    problems.raise_any()
    return _assembled(data, [cable for cable in cables if cable], problems)


def _assembled(data: dict[str, Any], cables: list[Cable], problems: Problems) -> Fabric:
    ports = list(_number_ports(data["links"], cables))
    names = list(_name_links(data["links"], cables, problems))
    links = tuple(
        Link(name, Port(cable.a, a), Port(cable.b, b), cable.rate_bps, cable.latency_s)
        for name, cable, (a, b) in zip(names, cables, ports, strict=True)
    )
    problems.raise_any()
    try:
        return Fabric(data["name"], tuple(data["hosts"]), tuple(data["switches"]), links)
    except FabricError as error:
        problems.add(_blame(str(error), data, names), str(error))
        raise DocumentError(problems.errors) from None


def _check_names(names: object, key: str, problems: Problems) -> None:
    if not isinstance(names, list):
        problems.add((key,), f"is {name_kind(names)}; write a list of names")
        return
    for index, name in enumerate(names):
        if not isinstance(name, str):
            problems.add((key, index), f"is {name_kind(name)}; write a name, in quotes if need be")


def _read_link(entry: object, path: FieldPath, nodes: set[str], problems: Problems) -> Cable | None:
    """The cable of one item of ``links``; None, and problems added, where it is wrong."""
    if not isinstance(entry, dict):
        problems.add(path, f"is {name_kind(entry)}; {LIKE_THIS}")
        return None
    before = len(problems.errors)
    _check_link_fields(entry, path, problems)
    for key in ("a", "b"):
        if key in entry and (not isinstance(entry[key], str) or entry[key] not in nodes):
            problems.add((*path, key), f"{entry[key]!r} is no host or switch; {_near(entry[key], nodes)}")
    rate_bps = _quantity(entry.get("rate", "1"), (*path, "rate"), parse_rate, problems)
    latency_s = _quantity(entry.get("latency", "0"), (*path, "latency"), parse_latency, problems)
    if len(problems.errors) > before:
        return None
    return Cable(entry["a"], entry["b"], int(rate_bps), latency_s)


def _check_link_fields(entry: dict[str, Any], path: FieldPath, problems: Problems) -> None:
    for key in entry:
        if key not in LINK_FIELDS:
            problems.add((*path, key), f"a link has no such field; {did_you_mean(str(key), LINK_FIELDS)}")
    for key in REQUIRED_LINK_FIELDS:
        if key not in entry:
            problems.add((*path, key), f"is missing; {LIKE_THIS}")
    if "ports" in entry and not _is_ports(entry["ports"]):
        problems.add((*path, "ports"), "write the port numbers of a and b, from 1, like [1, 3]")
    if "name" in entry and not isinstance(entry["name"], str):
        problems.add((*path, "name"), f"is {name_kind(entry['name'])}; write text, in quotes if need be")


def _quantity(value: object, path: FieldPath, parse: Callable[[str], float], problems: Problems) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        like = "1us" if path[-1] == "latency" else "100G"
        problems.add(path, f"is {name_kind(value)}; write a number with its unit, like {like}")
        return 0
    try:
        return parse(str(value))
    except ValueError as error:
        problems.add(path, str(error))
        return 0


def _is_ports(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(port) is int and port >= 1 for port in value)


def _number_ports(entries: list[dict[str, Any]], cables: list[Cable]) -> Iterator[tuple[int, int]]:
    """Port numbers as given, or else the lowest that is free, link by link."""
    taken = {
        (node, port)
        for entry, cable in zip(entries, cables, strict=True)
        for node, port in zip((cable.a, cable.b), entry.get("ports", ()), strict=False)
    }
    last: Counter[str] = Counter()

    def lowest_free(node: str) -> int:
        last[node] += 1
        while (node, last[node]) in taken:
            last[node] += 1
        return last[node]

    for entry, cable in zip(entries, cables, strict=True):
        a, b = entry["ports"] if "ports" in entry else (lowest_free(cable.a), lowest_free(cable.b))
        yield a, b


def _name_links(entries: list[dict[str, Any]], cables: list[Cable], problems: Problems) -> Iterator[str]:
    """Names as given, or else ``a-b``, ``a-b#2``, ...; a name that is used twice is a problem."""
    copies: Counter[frozenset[str]] = Counter()
    seen: set[str] = set()
    for index, (entry, cable) in enumerate(zip(entries, cables, strict=True)):
        pair = frozenset((cable.a, cable.b))
        copies[pair] += 1
        number = f"#{copies[pair]}" if copies[pair] > 1 else ""
        name = entry.get("name", f"{cable.a}-{cable.b}{number}")
        if name in seen:
            problems.add(("links", index), f"a second link named {name!r}; give it a name of its own")
        seen.add(name)
        yield name


def _blame(message: str, data: dict[str, Any], names: list[str]) -> FieldPath:
    """The field that Fabric's own complaint is about, as far as its words tell."""
    for pattern, key, known in (
        (r"link (\S+): ", "links", names),
        (r"(?:node|node name|host) '([^']*)'", "hosts", data["hosts"]),
        (r"(?:node|node name) '([^']*)'", "switches", data["switches"]),
    ):
        match = re.match(pattern, message)
        if match and match[1] in known:
            return (key, len(known) - 1 - known[::-1].index(match[1]))
    return ()


def _cable(link: Link) -> Cable:
    return Cable(link.a.node, link.b.node, link.rate_bps, link.latency_s)


def _flow(link: Mapping[str, Any]) -> str:
    texts = ("a", "b", "name")
    return ", ".join(f"{key}: {plain_or_quoted(value) if key in texts else value}" for key, value in link.items())


def plain_or_quoted(text: str) -> str:
    """A YAML scalar that is read back as this text: plain where it can be, quoted where YAML sees something else."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.#-]*", text)
    if plain and read(text, "").data == text:
        return text
    return str(yaml.safe_dump(text, default_style='"', width=2**31 - 1)).rstrip("\n")


def _near(word: object, nodes: set[str]) -> str:
    hint = did_you_mean(str(word), sorted(nodes))
    return hint if hint.startswith("did") else "name it in hosts or switches"
