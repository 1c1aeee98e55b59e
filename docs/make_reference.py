"""Writes the pages of docs/reference/ that say what the code says: commands, spec fields, errors, metrics.

    python docs/make_reference.py           # writes them anew; a test asks whether that changes anything

Each page is one function, from the code's own tables to Markdown.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from controller.core import Controller
from controller.metrics import exposition
from emulation.fidelity import LIMITS
from ringlab.cli import COMMANDS, command
from ringlab.errors import exit_code_of
from ringlab.experiments.spec_file import SpecFile, Sweep, Transport
from ringlab.training.spec_file import TrainFile
from topologies.catalog import from_short_form

FOLDER = Path(__file__).parent / "reference"
PACKAGES = ("topologies", "collectives", "controller", "emulation", "simulation", "ringlab")
MADE = "<!-- Made by docs/make_reference.py: change the code, not this page. -->"


def commands() -> str:
    """Every command: what it does, its examples, arguments and options."""
    lines = ["# Commands", "", MADE, "", command.help or "", ""]
    lines += _table(
        ("command", "what it does"), [(f"[`{name}`](#ringlab-{name})", text) for name, text in COMMANDS.items()]
    )
    for name, found in _walk(command, "ringlab"):
        lines += ["", f"## `{name}`" if name.count(" ") == 1 else f"### `{name}`", "", *_command(name, found)]
    lines += [
        "",
        "What exit codes mean: [errors.md](errors.md).",
    ]
    return "\n".join(lines) + "\n"


def spec_fields() -> str:
    """The fields of the spec files, from the models that read them."""
    lines = ["# Fields of spec files", "", MADE, ""]
    lines += [
        "For editors: [spec.schema.json](spec.schema.json) is the same as a JSON Schema of `ringlab run`'s file.",
        "",
    ]
    for title, kind in (("ringlab run", SpecFile), ("sizes, as a sweep", Sweep), ("transport", Transport)):
        lines += [f"## `{title}`", "", *_fields(kind), ""]
    lines += ["## `ringlab train`", "", "What is not explained here is as above, or in `examples/train.yaml`.", ""]
    return "\n".join([*lines, *_fields(TrainFile)]) + "\n"


def spec_schema() -> str:
    """The JSON Schema of ``ringlab run``'s spec file."""
    return json.dumps(SpecFile.model_json_schema(), indent=2) + "\n"


def errors() -> str:
    """Every kind of error that a user can meet, by exit code, with what it means."""
    rows = []
    for kind in sorted(_errors(), key=lambda kind: (kind.__module__, kind.__name__)):
        code = exit_code_of(kind.__new__(kind))
        meaning = (inspect.getdoc(kind) or "").replace("\n", " ")
        rows.append((f"`{kind.__module__}.{kind.__name__}`", "" if code is None else code, meaning))
    lines = ["# Errors", "", MADE, ""]
    lines += [
        "An error's message says what is wrong, where, and what to do; each of its lines becomes one line",
        "`ringlab: ...` on standard error. With `--debug` the traceback is there too. Errors without an exit code are",
        "caught, and said by the command that meets them.", "",
    ]  # fmt: skip
    return "\n".join([*lines, *_table(("error", "exit code", "when"), rows)]) + "\n"


def metrics() -> str:
    """What Prometheus can scrape from a controller, and what a certificate looks at."""
    told = exposition(Controller(from_short_form("leaf-spine:leaves=2,spines=1,hosts=1")), "ryu", 0.0).splitlines()
    kinds = dict(line.split(" ", 3)[2:] for line in told if line.startswith("# TYPE"))
    helps = dict(line.split(" ", 3)[2:] for line in told if line.startswith("# HELP"))
    lines = ["# Metrics and limits", "", MADE, "", "## What the controller shows at `/metrics`", ""]
    lines += _table(("metric", "kind", "meaning"), [(f"`{name}`", kinds[name], text) for name, text in helps.items()])
    lines += [
        "",
        "## What a certificate looks at",
        "",
        "Beyond the first limit a run is doubtful, beyond the second invalid.",
        "",
    ]
    lines += _table(
        ("check", "doubtful", "invalid", "where it is"),
        [
            (f"`{name}`", f"{limit.doubtful:g}", f"{limit.invalid:g}", "below" if limit.at_least else "above")
            for name, limit in LIMITS.items()
        ],
    )
    return "\n".join(lines) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands,
    "spec-fields.md": spec_fields,
    "spec.schema.json": spec_schema,
    "errors.md": errors,
    "metrics.md": metrics,
}


def _walk(group: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        return
    context = click.Context(group)
    for word in group.list_commands(context):
        found = group.get_command(context, word)
        assert found is not None
        yield f"{name} {word}", found
        yield from _walk(found, f"{name} {word}")


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield f"`{name} {' '.join(command.collect_usage_pieces(context))}`"
    yield ""
    yield inspect.cleandoc(command.help or "").replace("\b\n", "")
    examples = getattr(command, "examples", ())
    if examples:
        yield from ("", "```text", *examples, "```")
    rows = [record for param in command.params if isinstance(param, click.Option)
            for record in [param.get_help_record(context)] if record]  # fmt: skip
    if rows:
        yield ""
        yield from _table(("option", "meaning"), [(f"`{option}`", text) for option, text in rows])


def _fields(kind: Any) -> list[str]:
    """A row a field: its default, the values that it may have, and its meaning."""
    schema = kind.model_json_schema()
    rows = []
    for name, field in schema["properties"].items():
        default = "must be there" if name in schema.get("required", ()) else _default(field.get("default"))
        rows.append((f"`{name}`", default, _values(field), field.get("description", "").replace("\n", " ")))
    return list(_table(("field", "default", "values", "meaning"), rows))


def _default(value: Any) -> str:
    if value is None:
        return "none or auto"
    return "see below" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def _values(field: Mapping[str, Any]) -> str:
    options = field.get("anyOf") or field.get("oneOf") or [field]
    return " or ".join(dict.fromkeys(_value(option) for option in options if option.get("type") != "null"))


def _value(option: Mapping[str, Any]) -> str:
    if "enum" in option:
        return ", ".join(map(str, option["enum"]))
    kind = {"string": "text", "integer": "whole number", "number": "number", "array": "list", "object": "mapping"}
    words = kind.get(str(option.get("type")), "a size, as in 64K" if not option.get("$ref") else "mapping")
    low = option.get("minimum", option.get("exclusiveMinimum"))
    high = option.get("maximum")
    if low is not None and high is not None:
        words += f", {low:g} to {high:g}"
    elif low is not None:
        words += f", above {low:g}"
    return words


def _errors() -> set[type[Exception]]:
    """Of all our packages; modules that need a framework in this process are left out."""
    found = set()
    for package in PACKAGES:
        root = import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if module.name.endswith("__main__") or module.name in {"controller.app", "controller.framework"}:
                continue
            try:
                loaded = import_module(module.name)
            except ImportError:  # an optional library, or the controller's framework
                continue
            found |= {
                kind for name, kind in inspect.getmembers(loaded, inspect.isclass)
                if issubclass(kind, Exception) and kind.__module__ == loaded.__name__ and name[0] != "_"
            }  # fmt: skip
    return found


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


def main() -> int:
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
