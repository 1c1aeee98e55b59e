"""GraphML text to plain nodes and edges, in the order of the file, every attribute with its line.

Theory of operation. Read from expat's events, which give line numbers and keep the order and direction of the edges
(networkx's reader keeps neither; the tests read the same files with both). A document type is refused before any
entity of it can grow or reach for another file, and depth is bounded. A ``<key>`` gives the attribute's name and its
default; yEd's label, which stands deeper, counts as the attribute ``label``.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from topologies.yaml_lines import MAX_CHARS, MAX_DEPTH, DocumentError

Attribute = tuple[str, int, str]
"""An attribute's text, its line, and its name as the file writes it."""


@dataclass(slots=True)
class Element:
    """The graph, a node or an edge: what stands in its tag (``id``, ``source``), and its data by lower-case name.

    The defaults behind ``data`` are one dictionary for all elements of a sort.
    """

    line: int
    tag: Mapping[str, str]
    data: ChainMap[str, Attribute]


@dataclass(slots=True)
class Graph:
    """A file's one graph; ``whole`` has the graph's own tag and data."""

    whole: Element
    nodes: list[Element] = field(default_factory=list)
    edges: list[Element] = field(default_factory=list)


def read(text: str, where: str) -> Graph:
    """The graph in ``text``; ``where`` (a file's name) goes into errors. DocumentError if it is no GraphML."""
    if len(text) > MAX_CHARS:
        raise DocumentError([f"{where}: longer than {MAX_CHARS} characters; is it the right file?"])
    walk = _Walk(where)
    try:
        walk.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise DocumentError([f"{where}:{error.lineno}: is no XML: {expat.ErrorString(error.code)}"]) from None
    except UnicodeEncodeError:  # half of a character
        raise DocumentError([f"{where}: is no UTF-8 text; save it as UTF-8"]) from None
    return walk.finish()


@dataclass(slots=True)
class _Key:
    """A ``<key>``: the name of an attribute, and for what it is."""

    name: str
    domain: str


class _Walk:
    """Takes expat's events; the open tags are a list, not Python's stack."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.open: list[str] = []
        self.keys: dict[str, _Key] = {}
        self.key: _Key | None = None
        self.defaults: dict[str, dict[str, Attribute]] = {"graph": {}, "node": {}, "edge": {}}
        self.graph: Graph | None = None
        self.inside: Element | None = None
        self.datum: _Key | None = None
        self.text: list[str] = []
        self.text_line = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self.open and name != "graphml":
            self._fail(f"is no GraphML: it begins with <{name}>; a graph begins with <graphml>")
        if len(self.open) == MAX_DEPTH:
            self._fail(f"nested more than {MAX_DEPTH} deep; is it the right file?")
        self.open.append(name)
        if name in ("key", "default", "graph", "node", "edge", "hyperedge", "data", "NodeLabel"):
            self._enter(name, attributes)

    def end(self, _tag: str) -> None:
        name = self.open.pop()
        if name == "default" and self.key:
            self._keep_default(self.key)
        elif name == "data" and self.datum:
            self._keep(self.datum.name)
            self.datum = None
        elif name == "NodeLabel":
            self._keep("label")
            self.text = []
        elif name in ("node", "edge") and self.graph:
            self.inside = self.graph.whole

    def characters(self, text: str) -> None:
        self.text.append(text)

    def doctype(self, *_: object) -> None:
        self._fail("has a <!DOCTYPE>, which is not read here: entities can do harm; take it out")

    def finish(self) -> Graph:
        if self.graph is None:
            raise DocumentError([f"{self.where}:1: holds no <graph>; is it the right file?"])
        return self.graph

    def _enter(self, name: str, attributes: dict[str, str]) -> None:
        self.text, self.text_line = [], self._line()
        match name:
            case "key":
                self.key = _Key(attributes.get("attr.name", attributes.get("id", "")), attributes.get("for", "all"))
                self.keys[attributes.get("id", "")] = self.key
            case "data":
                key = attributes.get("key", "")
                self.datum = self.keys.get(key) or _Key(key, "all")
            case "graph":
                self._enter_graph(attributes)
            case "hyperedge":
                self._fail("a <hyperedge> joins more than two nodes; put a switch in its place")
            case "node" | "edge":
                self._enter_element(name, attributes)

    def _enter_graph(self, attributes: dict[str, str]) -> None:
        if self.graph is not None:
            nested = "graph" in self.open[:-1]
            self._fail("a graph in a graph; write it flat" if nested else "a second graph begins; one file holds one")
        self.inside = self._element("graph", attributes)
        self.graph = Graph(self.inside)

    def _enter_element(self, name: str, attributes: dict[str, str]) -> None:
        if self.graph is None or self.open[-2] != "graph":
            self._fail(f"a <{name}> outside of the <graph>; put it in")
        self.inside = self._element(name, attributes)
        (self.graph.nodes if name == "node" else self.graph.edges).append(self.inside)

    def _element(self, sort: str, tag: Mapping[str, str]) -> Element:
        return Element(self._line(), tag, ChainMap({}, self.defaults[sort]))

    def _keep(self, name: str) -> None:
        if self.inside is not None:
            text, line = self._said()
            if text.strip() or name.lower() not in self.inside.data.maps[0]:
                self.inside.data[name.lower()] = (text, line, name)

    def _keep_default(self, key: _Key) -> None:
        for sort in self.defaults:
            if key.domain in (sort, "all"):
                self.defaults[sort].setdefault(key.name.lower(), (*self._said(), key.name))

    def _said(self) -> tuple[str, int]:
        return "".join(self.text), self.text_line

    def _line(self) -> int:
        return self.parser.CurrentLineNumber

    def _fail(self, what: str) -> NoReturn:
        raise DocumentError([f"{self.where}:{self._line()}: {what}"])
