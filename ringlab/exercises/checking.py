"""Named checks of a student's file, each with a hint for its failure.

An exercise's ``checks.py`` makes a ``Checks``, and writes each check as a function of a *Trial*: the student's module,
and the means to measure. A check answers the sentence that is printed, and raises ``Missed`` where it is not so. An
error in the student's own lines is a missed check that names the line; the other checks go on.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from ringlab.exercises.measure import Measurement, Routing, Setup, simulate

T = TypeVar("T")


class Missed(Exception):  # noqa: N818 - a verdict on the student's work, no error of a program
    """What a check found wanting, in one sentence."""


def expect(condition: object, otherwise: str) -> None:
    """Missed with that sentence unless ``condition`` holds."""
    if not condition:
        raise Missed(otherwise)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one check; ``hint`` is empty where it passed."""

    name: str
    passed: bool
    message: str
    hint: str = ""


@dataclass
class Trial:
    """A student's file on trial. ``emulated``: ``measure`` builds a fabric and sends packets."""

    student: ModuleType
    emulated: bool = False
    say: Callable[[str], None] = lambda _: None
    _known: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        return str(self.student.__file__)

    def once(self, name: str, find: Callable[[], T]) -> T:
        """What ``find`` answers, found once for all checks."""
        if name not in self._known:
            self._known[name] = find()
        found: T = self._known[name]
        return found

    def measure(self, setup: Setup, route: Routing = "pinned") -> Measurement:
        return self.measure_all(setup, [route])[0]

    def measure_all(self, setup: Setup, routes: Sequence[Routing]) -> list[Measurement]:
        """One after the other, on one fabric. A real one takes the names of policies alone."""
        if not self.emulated:
            return [simulate(setup, route) for route in routes]
        from ringlab.exercises.real import standing  # noqa: PLC0415 - only where packets are sent

        with standing(setup, self.say) as fabric:
            found = []
            for route in routes:
                assert isinstance(route, str), "packets follow a policy by its name"
                self.say(f"measuring {route}")
                found.append(fabric.measure(route))
            return found

    def call(self, name: str, *arguments: Any) -> Any:
        """A function of the student's. Missed where it is not there, or answers nothing."""
        function = getattr(self.student, name, None)
        if not callable(function):
            raise Missed(f"{name} is not there any more; take it from the start file")
        answer = function(*arguments)
        expect(answer is not None, f"{name} returns nothing yet")
        return answer

    def value(self, name: str) -> float:
        """A number that the student has filled in. Missed where it is none."""
        found = getattr(self.student, name, None)
        expect(found is not None, f"{name} is still None")
        if not isinstance(found, (int, float)) or isinstance(found, bool) or not math.isfinite(found):
            raise Missed(f"{name} is {found!r}, and no number")
        return float(found)

    def text(self, name: str) -> str:
        """A text that the student has filled in. Missed where it is none."""
        found = getattr(self.student, name, None)
        expect(found is not None, f"{name} is still None")
        if not isinstance(found, str):
            raise Missed(f"{name} is {found!r}; write a text, in quotes")
        return found


Check = Callable[[Trial], str]


class Checks:
    """The checks of an exercise, in order."""

    def __init__(self) -> None:
        self._checks: list[tuple[str, str, Check]] = []

    def check(self, name: str, hint: str) -> Callable[[Check], Check]:
        def add(function: Check) -> Check:
            self._checks.append((name, hint, function))
            return function

        return add

    def prediction(self, of: str, unit: str, actual: Callable[[Trial], float]) -> None:
        """``PREDICTION`` must be filled in; how far off it was is said, and is no failure."""

        def predicted(trial: Trial) -> str:
            guess = trial.value("PREDICTION")
            found = actual(trial)
            return f"{of}: you said {_short(guess)}{unit}, it is {_short(found)}{unit}: {_off(guess, found)}"

        hint = "Write your guess into PREDICTION before you measure. A wrong one costs nothing; it shows what to learn."
        self._checks.append(("prediction", hint, predicted))

    def run(self, trial: Trial) -> Iterator[Verdict]:
        for name, hint, function in self._checks:
            yield _judged(name, hint, function, trial)


def _short(number: float) -> str:
    """Four digits, and no exponent."""
    return f"{float(f'{number:.4g}'):,.10g}"


def _off(guess: float, actual: float) -> str:
    if actual and abs(guess / actual - 1) <= 0.02:
        return "right"
    if not actual or guess / actual <= 0:
        return f"off by {abs(guess - actual):.3g}"
    ratio = guess / actual
    return (
        f"{ratio:.2f} times too much" if ratio >= 2 else f"{abs(ratio - 1):.0%} too {'much' if ratio > 1 else 'little'}"
    )


def _judged(name: str, hint: str, function: Check, trial: Trial) -> Verdict:
    try:
        return Verdict(name, True, function(trial))
    except Missed as missed:
        return Verdict(name, False, str(missed), hint)
    except (Exception, SystemExit) as error:
        where = line_of(error, trial.file)
        if where is None and trial.emulated and type(error).__name__ in {"MachineError", "RunError"}:
            raise
        return Verdict(name, False, said(error, trial.file), hint)


def said(error: BaseException, file: str) -> str:
    """``exercise.py, line 12: NameError: name 'rank' is not defined``."""
    line = line_of(error, file)
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    what = f"{type(error).__name__}: {words}" if words else type(error).__name__
    first = what.splitlines()[0]
    return f"{Path(file).name}, line {line}: {first}" if line else first


def line_of(error: BaseException, file: str) -> int | None:
    """The last line of ``file`` that the error passed."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


@contextmanager
def against(what: str) -> Iterator[None]:
    """Errors inside that ringlab means for people (kinds of ValueError) are missed checks that begin with ``what``."""
    try:
        yield
    except ValueError as error:
        if type(error) is ValueError:  # a slip in the student's lines: whoever catches it names the line
            raise
        raise Missed(f"{what}: {error}") from None
