"""Traffic as htsim's connection matrix (``.cm``), and the demands it amounts to; and back.

A line is a connection, whose hosts are numbers from 0; it starts at a time (in picoseconds) or by a trigger, and may
set off a trigger when its last byte is acknowledged (``send_done_trigger``) or has come (``recv_done_trigger``)::

    Nodes 4
    Connections 2
    Triggers 1
    0->1 id 1 start 0 size 1000000 send_done_trigger 1
    1->2 id 2 trigger 1 size 1000000
    trigger id 1 oneshot

A ``oneshot`` starts its connections the first time it is set off, a ``barrier`` when that has happened ``count`` times,
a ``multishot`` each time. A connection then waits for *all* of some others, or for none, in all cases but where a
oneshot or multishot is set off several times: these are refused where such a relation is asked for (``waits``).

Demands know steps instead of times and triggers. A connection's step is the longest chain of others that it waits for;
each connection is a flow of its own, as htsim hashes it. Writing makes a barrier between each step and the next.

Source: ``sim/datacenter/connection_matrix.cpp`` of Broadcom's csg-htsim, ``load``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from topologies.counts import MAX_LINKS
from topologies.fabric import Fabric, FabricError
from topologies.ports import MAX_CHANNELS, MAX_SLOTS, connect_port, listen_port
from topologies.spelling import did_you_mean
from topologies.traffic import Demand, FlowKey
from topologies.waiting import in_order
from topologies.word_lines import whole_number, word_lines
from topologies.yaml_lines import DocumentError

HEADER_FIELDS = ("Nodes", "Connections", "Triggers", "Failures")
CONNECTION_WORDS = ("id", "start", "size", "trigger", "send_done_trigger", "recv_done_trigger", "prio", "addon")
TRIGGER_KINDS = ("oneshot", "multishot", "barrier")

_PAIR = re.compile(r"([0-9]{1,9})->([0-9]{1,9})")
_TIME = re.compile(r"[0-9]{1,18}(\.[0-9]*)?([eE][+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Connection:
    """``size`` bytes from host number ``src`` to ``dst``; started at ``start_ps``, or where that is None by a trigger.

    ``line`` is where it stands.
    """

    src: int
    dst: int
    size: int
    start_ps: int | None
    trigger: int | None = None
    send_done_trigger: int | None = None
    recv_done_trigger: int | None = None
    flow_id: int | None = None
    line: int = 0

    @property
    def sets_off(self) -> tuple[int, ...]:
        """The triggers that its end sets off."""
        return tuple(one for one in (self.send_done_trigger, self.recv_done_trigger) if one is not None)


@dataclass(frozen=True, slots=True)
class Trigger:
    """``kind`` is one of ``TRIGGER_KINDS``; ``count`` is a barrier's."""

    kind: str
    count: int = 0
    line: int = 0


@dataclass(frozen=True)
class Matrix:
    """Connections in the order of lines, triggers by id, and a note on each kind of thing that means nothing here."""

    nodes: int
    connections: tuple[Connection, ...]
    triggers: Mapping[int, Trigger]
    where: str = "matrix"
    notes: tuple[str, ...] = ()


def is_matrix(text: str) -> bool:
    """Whether ``text`` begins as connection matrices do: with fields of the header, one of which no topology has."""
    for _, words in word_lines(text):
        if words[0] not in HEADER_FIELDS:
            return "->" in words[0]
        if words[0] != HEADER_FIELDS[0]:
            return True
    return False


def loads(text: str, where: str = "matrix") -> Matrix:
    """The matrix in ``text``; ``where`` (a file's name) goes into errors.

    Raises DocumentError, one line an error: ``WHERE:LINE: what; what to do``.
    """
    return _Reader(where).read(text)


def dumps(matrix: Matrix) -> str:
    """Text that ``loads`` reads back to equal connections and triggers."""
    counts = (("Nodes", matrix.nodes), ("Connections", len(matrix.connections)), ("Triggers", len(matrix.triggers)))
    lines = [f"{name} {count}" for name, count in counts if count or name != "Triggers"]
    for one in matrix.connections:
        words = [f"{one.src}->{one.dst}"]
        words += [f"id {one.flow_id}"] if one.flow_id is not None else []
        words.append(f"start {one.start_ps}" if one.trigger is None else f"trigger {one.trigger}")
        words.append(f"size {one.size}")
        for end, trigger in (("send", one.send_done_trigger), ("recv", one.recv_done_trigger)):
            words += [f"{end}_done_trigger {trigger}"] if trigger is not None else []
        lines.append(" ".join(words))
    for number, its in matrix.triggers.items():
        count = f" count {its.count}" if its.kind == "barrier" else ""
        lines.append(f"trigger id {number} {its.kind}{count}")
    return "\n".join(lines) + "\n"


def waits(matrix: Matrix) -> list[tuple[int, ...]]:
    """For each connection, the places in ``connections`` of those that must have ended before it starts.

    DocumentError where that does not say it: a trigger that is set off by several and starts with the first, a barrier
    that does not count all of them, a trigger that nothing sets off, connections that wait for each other.
    """
    sources: dict[int, list[int]] = {}
    for place, one in enumerate(matrix.connections):
        for trigger in one.sets_off:
            sources.setdefault(trigger, []).append(place)
    found = [_waited_for(matrix, one, sources) for one in matrix.connections]
    _steps(matrix, found)
    return found


def to_demands(matrix: Matrix, fabric: Fabric) -> list[Demand]:
    """One demand a connection, in their order; hosts by their numbers. Start times are not in demands: see ``lost``.

    DocumentError as ``waits``, and where a connection names a host that ``fabric`` does not have.
    """
    steps = _steps(matrix, waits(matrix))
    keys = flow_keys(matrix, fabric)
    return [Demand(key, (step,), (one.size,)) for key, step, one in zip(keys, steps, matrix.connections, strict=True)]


def flow_keys(matrix: Matrix, fabric: Fabric) -> list[FlowKey]:
    """Each connection's flow: several between two hosts leave by different ports. DocumentError as ``to_demands``."""
    seen: Counter[tuple[int, int]] = Counter()
    keys = []
    for one in matrix.connections:
        for host in (one.src, one.dst):
            if host >= len(fabric.hosts):
                what = f"host {host}: {fabric.name!r} has {len(fabric.hosts)}, from 0; take a larger fabric"
                raise DocumentError([f"{matrix.where}:{one.line}: {what}"])
        slot, channel = divmod(seen[one.src, one.dst], MAX_CHANNELS)
        seen[one.src, one.dst] += 1
        if slot >= MAX_SLOTS:
            what = f"{one.src}->{one.dst}: more connections of two hosts than there are ports; take some out"
            raise DocumentError([f"{matrix.where}:{one.line}: {what}"])
        keys.append(FlowKey(fabric.hosts[one.src], fabric.hosts[one.dst], connect_port(slot, channel), listen_port(0)))
    return keys


def lost(matrix: Matrix) -> tuple[str, ...]:
    """What of the matrix is not in its demands, a line each."""
    late = [one for one in matrix.connections if one.start_ps]
    times = (f"{len(late)} start times were left out (line {late[0].line}); demands know steps alone",) if late else ()
    return matrix.notes + times


def from_demands(demands: Sequence[Demand], fabric: Fabric) -> Matrix:
    """A connection for each flow and step that carries bytes; all of a step wait for all of the step before.

    Raises FabricError for a demand of a host that ``fabric`` does not have.
    """
    number = {host: place for place, host in enumerate(fabric.hosts)}
    for demand in demands:
        for host in (demand.key.src, demand.key.dst):
            if host not in number:
                raise FabricError(
                    f"no host {host!r} in fabric {fabric.name!r}: demands and fabric must belong together"
                )
    by_step: dict[int, list[tuple[int, int, int]]] = {}
    for demand in demands:
        for step, nbytes in zip(demand.steps, demand.step_bytes, strict=True):
            if nbytes:
                by_step.setdefault(step, []).append((number[demand.key.src], number[demand.key.dst], nbytes))
    connections: list[Connection] = []
    triggers = {}
    steps = [by_step[step] for step in sorted(by_step)]
    for place, flows in enumerate(steps):
        more = place + 1 if place + 1 < len(steps) else None
        start, trigger = (None, place) if place else (0, None)
        for src, dst, nbytes in flows:
            connections.append(Connection(src, dst, nbytes, start, trigger, more, None, len(connections) + 1))
        if more is not None:
            triggers[more] = Trigger("barrier", len(flows))
    return Matrix(len(fabric.hosts), tuple(connections), triggers, fabric.name)


def _waited_for(matrix: Matrix, one: Connection, sources: Mapping[int, Sequence[int]]) -> tuple[int, ...]:
    if one.trigger is None:
        return ()
    trigger, found = matrix.triggers[one.trigger], tuple(sources.get(one.trigger, ()))
    where = f"{matrix.where}:{trigger.line}: trigger {one.trigger}"
    if not found:
        raise DocumentError(
            [f"{where}: is never set off, and line {one.line} waits for it; give a connection as its source"]
        )
    if trigger.kind == "barrier" and trigger.count != len(found):
        what = f"counts to {trigger.count}, and {len(found)} connections set it off; here it must count all of them"
        raise DocumentError([f"{where}: {what}"])
    if trigger.kind != "barrier" and len(found) > 1:
        what = f"is set off {len(found)} times and starts with the first; only a barrier can be followed here"
        raise DocumentError([f"{where}: {what}"])
    return found


def _steps(matrix: Matrix, needs: Sequence[Sequence[int]]) -> list[int]:
    """The longest chain before each connection. DocumentError where some wait for each other."""
    order, stuck = in_order(needs)
    if stuck is not None:
        line = matrix.connections[stuck].line
        raise DocumentError([f"{matrix.where}:{line}: waits, by its triggers, for its own end; break the circle"])
    steps = [0] * len(needs)
    for place in order:
        steps[place] = max((steps[other] + 1 for other in needs[place]), default=0)
    return steps


class _Reader:
    """Takes the lines one by one; errors wait until the end."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.errors: list[str] = []
        self.header: dict[str, tuple[int, int]] = {}
        self.connections: list[Connection] = []
        self.triggers: dict[int, Trigger] = {}
        self.failures: list[int] = []
        self.priorities: list[int] = []

    def read(self, text: str) -> Matrix:
        for line, words in word_lines(text):
            if "->" in words[0]:
                self._connection(line, words)
            elif words[0] == "trigger":
                self._trigger(line, words)
            elif words[0] == "failure":
                self.failures.append(line)
            else:
                self._field(line, words)
        if not self.errors:
            self._check()
        if self.errors:
            raise DocumentError(self.errors)
        nodes = self.header["Nodes"][0]
        return Matrix(nodes, tuple(self.connections), self.triggers, self.where, tuple(self._notes()))

    def _refuse(self, line: int, what: str) -> None:
        self.errors.append(f"{self.where}:{line}: {what}")

    def _field(self, line: int, words: Sequence[str]) -> None:
        number = whole_number(words[1]) if len(words) == 2 else None
        if words[0] not in HEADER_FIELDS:
            self._refuse(
                line, f"{words[0]}: no such field of a connection matrix; {did_you_mean(words[0], HEADER_FIELDS)}"
            )
        elif number is None:
            self._refuse(line, f"{words[0]}: needs one whole number, like {words[0]} 16")
        elif words[0] in self.header:
            self._refuse(line, f"{words[0]}: given twice, first in line {self.header[words[0]][1]}; keep one")
        else:
            self.header[words[0]] = number, line

    def _connection(self, line: int, words: Sequence[str]) -> None:
        pair = _PAIR.fullmatch(words[0])
        said = self._settings(line, words, CONNECTION_WORDS)
        if pair is None:
            self._refuse(line, f"{words[0]}: is no pair of hosts; write one like 0->1")
        elif pair[1] == pair[2]:
            self._refuse(line, f"{words[0]}: a host that sends to itself crosses no fabric; take it out")
        if pair is None or said is None or not self._check_words(line, said):
            return
        self.connections.append(
            Connection(
                int(pair[1]),
                int(pair[2]),
                self._number(line, said, "size", 1) or 0,
                round(float(said["start"])) if "start" in said else None,
                self._number(line, said, "trigger", 1),
                self._number(line, said, "send_done_trigger", 1),
                self._number(line, said, "recv_done_trigger", 1),
                self._number(line, said, "id", 1),
                line,
            )
        )

    def _check_words(self, line: int, said: Mapping[str, str]) -> bool:
        before = len(self.errors)
        if "addon" in said:
            self._refuse(line, "addon: a connection that grows by triggers is not read here; write one a message")
        if "size" not in said or said["size"] == "0":
            self._refuse(line, "size: a connection without end is not read here; give its bytes")
        if ("start" in said) == ("trigger" in said):
            self._refuse(line, "needs start or trigger, and not both; write start 0")
        elif "start" in said and not _TIME.fullmatch(said["start"]):
            self._refuse(line, f"start: {said['start']!r} is no time in picoseconds; write a number")
        if "prio" in said:
            self.priorities.append(line)
        return len(self.errors) == before

    def _trigger(self, line: int, words: Sequence[str]) -> None:
        said = self._settings(line, words, ("id", "count", *TRIGGER_KINDS))
        if said is None:
            return
        kinds = [kind for kind in TRIGGER_KINDS if kind in said]
        number = self._number(line, said, "id", 1)
        if number is None or len(kinds) != 1:
            self._refuse(
                line, f"a trigger needs an id and a kind ({', '.join(TRIGGER_KINDS)}); write trigger id 1 oneshot"
            )
            return
        if number in self.triggers:
            self._refuse(line, f"trigger {number}: given twice, first in line {self.triggers[number].line}; keep one")
        self.triggers[number] = Trigger(kinds[0], self._number(line, said, "count", 0) or 0, line)

    def _settings(self, line: int, words: Sequence[str], known: Sequence[str]) -> dict[str, str] | None:
        """The words after the first: names with their values, names alone (of kinds, and addon) with none."""
        said: dict[str, str] = {}
        rest = iter(words[1:])
        for word in rest:
            if word not in known:
                self._refuse(line, f"{word}: no such word here; {did_you_mean(word, known)}")
                return None
            if word in said:
                self._refuse(line, f"{word}: given twice; keep one")
                return None
            said[word] = "" if word in (*TRIGGER_KINDS, "addon") else next(rest, "")
        return said

    def _number(self, line: int, said: Mapping[str, str], word: str, least: int) -> int | None:
        """The value; None where it is not said, and where it is no number, with an error."""
        if word not in said:
            return None
        number = whole_number(said[word])
        if number is None or number < least:
            self._refuse(line, f"{word}: {said[word]!r} is no whole number from {least}; write one")
            return None
        return number

    def _check(self) -> None:
        found = (len(self.connections), len(self.triggers), len(self.failures))
        if "Nodes" not in self.header:
            self._refuse(1, "Nodes is missing; write a line Nodes NUMBER first")
            return
        for name, count in zip(HEADER_FIELDS[1:], found, strict=True):
            said, line = self.header.get(name, (0, 1))
            if said != count:
                self._refuse(line, f"{name}: says {said}, and {count} follow; write {name} {count}")
        nodes, line = self.header["Nodes"]
        if not 1 <= nodes <= MAX_LINKS:
            self._refuse(line, f"Nodes: {nodes} is out of range; give from 1 to {MAX_LINKS}")
        for one in self.connections:
            if max(one.src, one.dst) >= nodes:
                self._refuse(one.line, f"host {max(one.src, one.dst)}: hosts are 0 to {nodes - 1}")
            for trigger in (*one.sets_off, *(() if one.trigger is None else (one.trigger,))):
                if trigger not in self.triggers:
                    self._refuse(
                        one.line, f"trigger {trigger}: no line says of what kind; write trigger id {trigger} oneshot"
                    )

    def _notes(self) -> list[str]:
        notes = []
        if self.failures:
            lines = f"line {self.failures[0]}"
            notes.append(
                f"{self.where}: {len(self.failures)} failures of links were left out ({lines}); all links live"
            )
        if self.priorities:
            lines = f"line {self.priorities[0]}"
            notes.append(
                f"{self.where}: {len(self.priorities)} priorities were left out ({lines}); all flows are alike"
            )
        return notes
