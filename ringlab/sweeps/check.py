"""Is each value of a sweep file right? Told with the sweep file's lines, before anything runs.

Theory of operation. Every row of a list is read as the spec that it makes. Of a grid not all combinations are, for
there may be a million: each value is read in one, all fields going on at once. A value whose combination is wrong is
tried in those that were right, and is itself wrong if it fits none; one that fits some is left to the run, in which
those that it does not fit are failed scenarios (a placement on h8, where the fabric has four hosts).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from ringlab.experiments import spec as specs
from ringlab.sweeps.changes import ChangeError, keys_of
from ringlab.sweeps.scenario import Scenario, takes_seed
from ringlab.sweeps.sweep_file import Choice, Draft, Sweep, SweepError
from topologies.yaml_lines import FieldPath, name_field
from topologies.yaml_lines import read as read_document

MAX_READ = 256
"""Combinations that are read beforehand; each takes a millisecond, or a tenth of a second with a thousand hosts."""

MAX_TRIES = 16
"""Right combinations in which a doubtful value is tried."""

_WHERE = "scenario"


def check(sweep: Sweep) -> None:
    """SweepError for what is wrong in the file."""
    errors = list(dict.fromkeys(_errors(sweep)))
    if errors:
        raise SweepError(errors)


def _errors(sweep: Sweep) -> Iterator[str]:
    if sweep.draws > 1 and not takes_seed(
        [sweep.spec, [[c.content for c in d] for d in (*sweep.columns, *sweep.rows)]]
    ):
        place = sweep.document.place(("draws",))
        yield f"{place}: nothing is drawn; write $seed in the spec, like arms: [{{ecmp: {{seeds: [$seed]}}}}]"
    if sweep.rows:
        for row in sweep.rows[:MAX_READ]:
            yield from _wrong(sweep, row)
        return
    yield from _errors_of_grid(sweep)


def _errors_of_grid(sweep: Sweep) -> Iterator[str]:
    right: list[Draft] = []
    doubtful: list[tuple[Draft, list[str]]] = []
    for draft in islice(_diagonal(sweep.columns), MAX_READ):
        wrong = _wrong(sweep, draft)
        if wrong:
            doubtful.append((draft, wrong))
        else:
            right.append(draft)
    if not right:
        yield from (line for _, wrong in doubtful for line in wrong)
        return
    proven = {choice.origin for draft in right for choice in draft}
    for draft, _ in doubtful:
        for place, choice in enumerate(draft):
            if choice.origin not in proven:
                yield from _fits_none(sweep, right, place, choice)


def _fits_none(sweep: Sweep, right: Sequence[Draft], place: int, choice: Choice) -> list[str]:
    """What is wrong with a value in the first right combination; nothing if it fits some."""
    first: list[str] = []
    for draft in right[:MAX_TRIES]:
        wrong = _wrong(sweep, (*draft[:place], choice, *draft[place + 1 :]), choice)
        if not wrong:
            return []
        first = first or wrong
    return first


def _diagonal(columns: Sequence[Draft]) -> Iterator[Draft]:
    """As few combinations as hold each value once; a column that ends begins again."""
    for place in range(max(map(len, columns))):
        yield tuple(column[place % len(column)] for column in columns)


def _wrong(sweep: Sweep, draft: Draft, cause: Choice | None = None) -> list[str]:
    """What is wrong with one combination, at the lines of the sweep file or of the base's; at ``cause`` if given."""
    try:
        spec = sweep.spec_of(draft)
    except ChangeError as error:
        culprit = cause or _culprit(sweep, draft)
        return [f"{sweep.document.place(culprit.origin)}: {error}"]
    seeded = Scenario.of(spec, sweep.backend, sweep.seed, {}).data["spec"]
    try:
        specs.from_data(seeded, _WHERE)
    except specs.SpecError:
        pass
    else:
        return []
    text = json.dumps(seeded, indent=0)  # again, to hear of lines
    try:
        specs.loads(text, _WHERE)
    except specs.SpecError as error:
        return [_told(line, text, sweep, draft, cause) for line in error.errors]
    return []


def _culprit(sweep: Sweep, draft: Draft) -> Choice:
    """The first choice whose field there can't be."""
    for size in range(1, len(draft) + 1):
        try:
            sweep.spec_of(draft[:size])
        except ChangeError:
            return draft[size - 1]
    raise AssertionError("all fields can be")


def _told(line: str, text: str, sweep: Sweep, draft: Draft, cause: Choice | None) -> str:
    """An error of the combination's text as one of the file in which its cause was written."""
    found = re.match(rf"{_WHERE}:(\d+): (.*)", line)
    if not found:  # within a file that the spec names
        return line
    path = _path_at(int(found[1]), text)
    choice = cause or _choice_at(path, draft)
    if choice:
        return f"{sweep.document.place(choice.origin)}: {_without(found[2], choice.field)}"
    return f"{sweep.base.place(path)}: {_without(found[2], name_field(path))}"


def _path_at(number: int, text: str) -> FieldPath:
    """The field that begins on a line; ``json.dumps`` with an indent gives each a line of its own."""
    lines = read_document(text, _WHERE).lines
    return max((path for path, line in lines.items() if line <= number), key=lambda path: (lines[path], len(path)))


def _choice_at(path: FieldPath, draft: Draft) -> Choice | None:
    """The choice that wrote the field at ``path``, or something within it (a short form's parameter)."""
    keys = tuple(map(str, path))
    for choice in draft:
        field = keys_of(choice.field)
        if keys and field[: len(keys)] == keys[: len(field)]:
            return choice
    return None


def _without(words: str, field: str) -> str:
    """An error's words without the field that is named already."""
    return words.removeprefix(f"{field}: ") if field else words
