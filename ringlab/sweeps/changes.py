"""Changes to plain data by dotted fields: ``transport.mtu``, ``arms.0.ecmp.seeds``, ``fabric.spines``.

A field goes into mappings by key and into lists by number (from 0). What it can't go into otherwise is a short form:
``fabric.spines`` of ``leaf-spine:leaves=4,spines=2,hosts=2`` is its parameter, and is added where it is not there.
Nothing is changed in place: what a change does not touch is shared with what was before.
"""

from __future__ import annotations

from typing import Any

from topologies.yaml_lines import name_kind


class ChangeError(ValueError):
    """A field that there can't be: says why, and what to do."""


def keys_of(field: str) -> tuple[str, ...]:
    """``"arms.0.seed"`` -> ``("arms", "0", "seed")``. ChangeError where a part of it is empty."""
    keys = tuple(field.split("."))
    if not all(keys):
        raise ChangeError(f"{field!r} is no field; write one like algorithm or transport.mtu")
    return keys


def with_change(data: Any, field: str, value: Any) -> Any:
    """``data`` with ``value`` at ``field``. ChangeError where there is no such place."""
    return _changed(data, keys_of(field), value, "")


def _changed(node: Any, keys: tuple[str, ...], value: Any, inside: str) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    here = f"{inside}.{key}" if inside else key
    match node:
        case None:
            return {key: _changed(None, rest, value, here)}
        case dict():
            return {**node, key: _changed(node.get(key), rest, value, here)}
        case list():
            place = _place(key, len(node), inside)
            return [*node[:place], _changed(node[place], rest, value, here), *node[place + 1 :]]
        case str() if not rest:
            return _with_parameter(node, key, value)
    raise ChangeError(f"{inside} is {name_kind(node)}, which has no {key}; write {inside} as a whole")


def _place(key: str, length: int, inside: str) -> int:
    if not (key.isascii() and key.isdigit() and len(key) < 9 and int(key) < length):
        raise ChangeError(f"{inside} is a list of {length}; write {inside}.0 to {inside}.{length - 1}")
    return int(key)


def _with_parameter(short_form: str, name: str, value: Any) -> str:
    """``leaf-spine:leaves=4,spines=2`` with another ``spines``."""
    if isinstance(value, (dict, list)) or value is None:
        raise ChangeError(f"{name} of {short_form} is {name_kind(value)}; write a number or a text")
    word, _, written = short_form.partition(":")
    settings = dict.fromkeys(part.strip() for part in written.split(",") if part.strip())
    kept = {part.partition("=")[0].strip(): part for part in settings}
    return f"{word}:{','.join({**kept, name: f'{name}={value}'}.values())}"
