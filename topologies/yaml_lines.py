"""YAML (or JSON) text to plain data in which every field knows its line, so that an error can name the place.

Read from the parser's events and not with ``yaml.load``: duplicate keys are refused instead of lost, no tag can
make an object, no alias can grow, and depth is bounded before the C library's recursion is (it crashes at 10^5).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

MAX_CHARS = 8 * 2**20
MAX_DEPTH = 20

_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
"""A character beyond U+FFFF as JSON escapes it, and YAML does not."""

FieldPath = tuple[str | int, ...]
"""Where in the data: ``("arms", 1)`` is ``arms[1]``."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is 10 times as fast; not every wheel has it
_RESOLVER: Any = yaml.resolver.Resolver()
_CONSTRUCT: Any = yaml.constructor.SafeConstructor()
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")  # JSON's; YAML 1.1 reads 1e9 as text


class DocumentError(ValueError):
    """One or more things wrong with a text; each of ``errors`` is one line ``WHERE:LINE: field: what; what to do``."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(map(_printable, errors))
        super().__init__("\n".join(self.errors))


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data (None, bool, int, float, str, list, dict with str keys), and the line (from 1) of every field.

    ``root`` is the path of ``data`` in the whole text; data that came from no text has no ``lines``. Data that was
    made from a file of another shape has ``names``: what the file itself calls a field.
    """

    where: str
    data: Any
    lines: Mapping[FieldPath, int] = field(default_factory=dict)
    root: FieldPath = ()
    names: Mapping[FieldPath, str] = field(default_factory=dict)

    def under(self, key: str | int) -> Document:
        """The part of the document at ``key``, which still knows its lines."""
        return replace(self, data=self.data[key], root=(*self.root, key))

    def place(self, path: FieldPath = ()) -> str:
        """``demo.yaml:7: arms[1]``: the line is the field's own, or that of the nearest field around it."""
        full = (*self.root, *path)
        line = next((self.lines[full[:size]] for size in range(len(full), -1, -1) if full[:size] in self.lines), None)
        where = self.where if line is None else f"{self.where}:{line}"
        return f"{where}: {self._name(full)}" if full else where

    def _name(self, full: FieldPath) -> str:
        for size in range(len(full), 0, -1):
            if full[:size] in self.names:
                return ": ".join(filter(None, (self.names[full[:size]], name_field(full[size:]))))
        return name_field(full)


class Problems:
    """What is wrong with a document, collected, so that a user hears of all of it at once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[str] = []

    def add(self, path: FieldPath, what: str) -> None:
        self.errors.append(f"{self.document.place(path)}: {what}")

    def raise_any(self) -> None:
        """DocumentError if there are any."""
        if self.errors:
            raise DocumentError(self.errors)


def name_field(path: FieldPath) -> str:
    """``("links", 2, "rate")`` -> ``links[2].rate``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def name_kind(value: object) -> str:
    """A value's kind for people: ``a list``; ``empty`` for None."""
    if value is None:
        return "empty"
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), type(value).__name__)


def read(text: str, where: str) -> Document:
    """The document in ``text``; ``where`` (a file's name) goes into errors. DocumentError if it is no YAML."""
    if len(text) > MAX_CHARS:
        raise DocumentError([f"{where}: longer than {MAX_CHARS} characters; is it the right file?"])
    builder = _Builder(where)
    try:
        for event in yaml.parse(_SURROGATES.sub(_joined, text), Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, where) from None
    return Document(where, builder.root, builder.lines)


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come; ``key`` waits for its value."""

    container: Any
    path: FieldPath
    key: str | None = None


class _Builder:
    """Takes the parser's events one by one; the open containers are a list, not Python's stack."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.root: Any = None
        self.lines: dict[FieldPath, int] = {(): 1}
        self.open: list[_Open] = []
        self.documents = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        self._refuse(event, line)
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
            case yaml.MappingStartEvent():
                self._enter({}, line)
            case yaml.SequenceStartEvent():
                self._enter([], line)
            case yaml.ScalarEvent():
                self._put(event.value if self._wants_key() else _scalar(event), line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.open.pop()

    def _refuse(self, event: Any, line: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._fail(line, f"alias *{event.anchor} is not read here; write the value out")
        if getattr(event, "tag", None):
            self._fail(line, f"tag {event.tag} is not read here; write a plain value")
        if isinstance(event, yaml.DocumentStartEvent) and self.documents:
            self._fail(line, "a second document begins; one file holds one")
        if isinstance(event, yaml.CollectionStartEvent):
            if self._wants_key():
                self._fail(line, "a key must be a plain word; a list or a mapping stands there")
            if len(self.open) == MAX_DEPTH:
                self._fail(line, f"nested more than {MAX_DEPTH} deep; is it the right file?")

    def _fail(self, line: int, what: str) -> None:
        raise DocumentError([f"{self.where}:{line}: {what}"])

    def _wants_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].container, dict) and self.open[-1].key is None

    def _enter(self, container: Any, line: int) -> None:
        path = self._put(container, line)
        self.open.append(_Open(container, path))

    def _put(self, value: Any, line: int) -> FieldPath:
        """Add a key, a value or an item to the innermost container, and return the path of what was added."""
        if not self.open:
            self.root = value
            self.lines[()] = line
            return ()
        top = self.open[-1]
        if isinstance(top.container, list):
            path = (*top.path, len(top.container))
            self.lines[path] = line
            top.container.append(value)
        elif top.key is None:
            path = (*top.path, value)
            if value in top.container:
                self._fail(line, f"{name_field(path)}: given twice, first in line {self.lines[path]}; keep one")
            self.lines[path] = line
            top.key = value
        else:
            path = (*top.path, top.key)
            top.container[top.key] = value
            top.key = None
        return path


def _printable(text: str) -> str:
    """``text`` in one line that a terminal can show: a file's words may hold anything."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _joined(pair: re.Match[str]) -> str:
    return pair[1] + str(json.loads(f'"{pair[2]}"'))


def _scalar(event: Any) -> Any:
    """The value of a scalar: YAML 1.1's null, bool, int and float; JSON's numbers; all else is text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    tag = str(_RESOLVER.resolve(yaml.ScalarNode, text, event.implicit)).rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in ("yes", "true", "on")
    if tag in ("int", "float") and ":" not in text:  # 1:30 would be 90, in base 60
        try:
            return getattr(_CONSTRUCT, f"construct_yaml_{tag}")(yaml.ScalarNode(f"tag:yaml.org,2002:{tag}", text))
        except ValueError:  # 0x_, or more digits than Python reads
            return text
    return float(text) if _NUMBER.fullmatch(text) else text


def _syntax_error(error: Any, text: str, where: str) -> DocumentError:
    """The parser's complaint in one line. A flow or a quote that never ends is reported where it begins."""
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context", None) or ""
    if getattr(error, "context_mark", None) and ("flow" in context or "quoted" in context):
        mark = error.context_mark
    if mark is None:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        return DocumentError([f"{where}:{line}: holds a control character; save it as plain UTF-8 text"])
    lines = text.splitlines()
    source = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in source[: len(source) - len(source.lstrip())]:
        return DocumentError([f"{where}:{mark.line + 1}: indented with a tab; YAML indents with spaces"])
    if "nesting depth" in (error.problem or ""):  # PyYAML's own limit, from 6.0.4 on; it looks ahead of our events
        return DocumentError([f"{where}:{mark.line + 1}: nested more than {MAX_DEPTH} deep; is it the right file?"])
    where_in = f" {context}" if context else ""
    return DocumentError([f"{where}:{mark.line + 1}: is no YAML: {error.problem}{where_in}"])
