"""Work as htsim's connection matrix: a connection a message, and what it waits for as triggers.

A message waits for no other that one of the others it waits for has waited for: these are left out. Messages that then
wait for the same others share a trigger: a ``oneshot`` where that is one, else a ``barrier`` that counts them. A
connection of htsim sets off two triggers at most, one as it is sent and one as it is received, and waits for others
alone: not for a time after them. So calculations, and messages that more than two different sets wait for, have no
matrix. Where one trigger does it is the one of sending: ``htsim_roce`` knows no other.
"""

from __future__ import annotations

from collections import defaultdict

from collectives.interchange.trace import TraceError
from simulation.trace import Work
from topologies.fabric import Fabric
from topologies.htsim_traffic import Connection, Matrix, Trigger

MOST_TRIGGERS = 2

MOST_MESSAGES = 20_000
"""All that each waits for is kept as bits: 50 MB."""


def to_matrix(work: Work, fabric: Fabric) -> Matrix:
    """The messages of ``work`` between the hosts of ``fabric``; those of no bytes have one, as htsim has none of 0.

    TraceError where htsim has no words for it.
    """
    number = {host: place for place, host in enumerate(fabric.hosts)}
    messages, sets = _messages(work)
    triggers = {needs: ident for ident, needs in enumerate(dict.fromkeys(filter(None, sets)), 1)}
    sets_off: defaultdict[int, list[int]] = defaultdict(list)
    for needs, ident in triggers.items():
        for item in needs:
            sets_off[item].append(ident)
    connections = []
    for flow_id, (item, needs) in enumerate(zip(messages, sets, strict=True), 1):
        key, ends = work.keys[int(work.connection[item])], sets_off[item]
        if len(ends) > MOST_TRIGGERS:
            what = f"{len(ends)} different sets of messages wait for one from {key.src} to {key.dst}"
            raise TraceError(
                f"htsim's connection sets off {MOST_TRIGGERS} triggers at most: {what}; choose another form"
            )
        sent, received = (*ends, None, None)[:MOST_TRIGGERS]
        start_ps = None if needs else round(float(work.lag_s[item]) * 1e12)
        nbytes = max(int(work.nbytes[item]), 1)
        trigger = triggers[needs] if needs else None
        ends_of = number[key.src], number[key.dst]
        connections.append(Connection(*ends_of, nbytes, start_ps, trigger, sent, received, flow_id))
    kinds = {
        ident: Trigger("barrier", len(needs)) if len(needs) > 1 else Trigger("oneshot")
        for needs, ident in triggers.items()
    }
    return Matrix(len(fabric.hosts), tuple(connections), kinds, fabric.name)


def _messages(work: Work) -> tuple[list[int], list[tuple[int, ...]]]:
    """The items that are messages, and the messages that each waits for, straight or by items that are nothing."""
    stands_for: list[tuple[int, ...]] = []
    messages, sets = [], []
    for item in range(len(work)):
        first, last = int(work.starts[item]), int(work.starts[item + 1])
        needs = sorted({one for need in work.needs[first:last].tolist() for one in stands_for[need]})
        if work.connection[item] < 0 and work.lag_s[item]:
            raise TraceError("htsim's connection matrix has no calculations, and there are some; choose another form")
        if work.connection[item] < 0:
            stands_for.append(tuple(needs))
            continue
        if needs and work.lag_s[item]:
            raise TraceError(
                "htsim's connections wait for others or for a time, and some for both; choose another form"
            )
        stands_for.append((item,))
        messages.append(item)
        sets.append(tuple(needs))
    if len(messages) > MOST_MESSAGES:
        raise TraceError(f"{len(messages)} messages are too many for a matrix; {MOST_MESSAGES} are the most")
    return messages, _reduced(messages, sets)


def _reduced(messages: list[int], sets: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """What each message waits for, without what the others in it have waited for; as bits, a message a bit."""
    place = {item: number for number, item in enumerate(messages)}
    before: list[int] = []
    found = []
    for needs in sets:
        waited = 0
        for need in needs:
            waited |= before[place[need]]
        found.append(tuple(need for need in needs if not waited >> place[need] & 1))
        for need in needs:
            waited |= 1 << place[need]
        before.append(waited)
    return found
