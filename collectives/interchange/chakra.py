"""Chakra execution traces (a file a rank) as operations that wait for each other.

Sends and receives are messages; collectives are collectives, of the ranks of their process group; a computation or a
memory access takes the time it was measured to take (``duration_micros``). A communication takes what the network makes
of it, whatever the trace has measured. A node waits for its control and its data dependencies.

``comm_size`` is bytes, as ASTRA-sim takes it: of an all_gather (and a gather) what one rank puts in, else the whole of
a rank's buffer. A group is named by ``pg_name``: it is told by the caller, or by the trace itself, where PyTorch wrote
its groups into it; without ``pg_name`` it is all ranks. What is not understood is an error where the time depends on
it, and else a note.

Source: ``schema/protobuf/et_def.proto`` of mlcommons/chakra; ASTRA-sim's ``workload/Workload.cc`` (who waits, groups)
and ``Ring.cc`` (what ``data_size`` is of each collective).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence

from collectives.interchange.chakra_nodes import UNKNOWN, Node, as_whole, nodes
from collectives.interchange.trace import (
    Calculation,
    Collective,
    Operation,
    Receive,
    Send,
    Trace,
    TraceError,
)

COLLECTIVES = (
    "all_reduce", "reduce", "all_gather", "gather", "scatter", "broadcast", "all_to_all", "reduce_scatter",
    "reduce_scatter", "barrier",
)  # fmt: skip
"""CollectiveCommType, by number: ALL_REDUCE = 0, ..., REDUCE_SCATTER_BLOCK = 8, BARRIER = 9."""

_NAMES = {name.upper(): name for name in COLLECTIVES} | {"REDUCE_SCATTER_BLOCK": "reduce_scatter"}

GROWS = ("all_gather", "gather")
"""Their comm_size is one rank's part."""

ROOTS = ("root_rank", "comm_root", "root")
ROOTED = ("reduce", "gather", "scatter", "broadcast")

USED = frozenset({
    "comm_type", "comm_size", "comm_src", "comm_dst", "comm_tag", "comm_priority", "pg_name", "involved_dim",
    "involve_dims", "is_cpu_op", "num_ops", "tensor_size", *ROOTS,
})  # fmt: skip
"""Attributes that are read, or that say nothing about time here; of others a note tells."""

_INIT = "process_group:init"

Groups = Mapping[str, tuple[int, ...]]


def read(files: Sequence[tuple[str, bytes]], groups: Groups | None = None) -> Trace:
    """The trace of ``files``: of each rank, from 0, the name that goes into errors, and its content (.et, or JSON).

    ``groups``: the ranks of each process group by name. Raises TraceError, one line: ``WHERE: node N: what; what to
    do``.
    """
    found = [nodes(content, where) for where, content in files]
    known = {**_told(found, len(files)), **(groups or {})}
    notes = _Notes()
    ranks = tuple(_operations(rank, its, known, len(files), notes) for rank, its in enumerate(found))
    return Trace(ranks, notes.lines())


def read_groups(text: str, where: str = "groups") -> dict[str, tuple[int, ...]]:
    """Groups as ASTRA-sim's ``comm_group`` file has them: ``{"1": [0, 1], "2": [2, 3]}``. TraceError if it has not."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise TraceError(f'{where}:{line}: is no JSON; write groups like {{"1": [0, 1], "2": [2, 3]}}') from None
    groups = {}
    for name, value in data.items() if isinstance(data, dict) else ():
        ranks = value.get("ranks") if isinstance(value, dict) else value
        if not isinstance(ranks, list) or not ranks or not all(type(rank) is int and rank >= 0 for rank in ranks):
            raise TraceError(f"{where}: group {name!r} is no list of ranks; write one like [0, 1]")
        groups[name] = tuple(ranks)
    if not groups:
        raise TraceError(f'{where}: holds no groups; write them like {{"1": [0, 1], "2": [2, 3]}}')
    return groups


class _Notes:
    """What was left out: each kind once, with where it was first and how often it was."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def add(self, what: str, place: str) -> None:
        self.found.setdefault(what, []).append(place)

    def lines(self) -> tuple[str, ...]:
        return tuple(
            f"{places[0]}: {what}" + (f" (and in {len(places) - 1} more)" if len(places) > 1 else "")
            for what, places in self.found.items()
        )


def _told(ranks: Sequence[Sequence[Node]], num_ranks: int) -> dict[str, tuple[int, ...]]:
    """Groups that PyTorch's traces tell: text of a list that holds one text, a list of groups as JSON."""
    groups: dict[str, tuple[int, ...]] = {}
    for node in (node for its in ranks for node in its if _INIT in node.name):
        try:
            for one in json.loads(node.input_values[2:-2] or "[]"):
                ranks_of = [int(rank) for rank in one["ranks"]]
                groups[str(one["pg_name"])] = tuple(ranks_of or range(num_ranks))
        except (ValueError, TypeError, KeyError, RecursionError):
            what = "its values are no list of process groups as PyTorch writes it; give the groups by a file"
            raise TraceError(f"{node.place}: {what}") from None
    return groups


def _operations(rank: int, its: Sequence[Node], groups: Groups, num_ranks: int, notes: _Notes) -> tuple[Operation, ...]:
    place_of = {node.number: place for place, node in enumerate(its)}
    made = []
    for node in its:
        missing = next((number for number in node.after if number not in place_of), None)
        if missing is not None:
            raise TraceError(f"{node.place}: waits for node {missing}, which is not in its file; put it back")
        after = tuple(place_of[number] for number in node.after)
        for what in _unread(node):
            notes.add(what, node.place)
        match node.kind:
            case "COMM_SEND_NODE" | "COMM_RECV_NODE":
                made.append(_message(node, after, rank, num_ranks))
            case "COMM_COLL_NODE":
                made.append(_collective(node, after, rank, num_ranks, groups, notes))
            case _:
                made.append(_calculation(node, after, notes))
    return tuple(made)


def _unread(node: Node) -> Iterator[str]:
    for name in node.attributes:
        if name not in USED:
            yield f"attribute {name!r} is not understood"
    for number in node.unread:
        yield f"field {number} of a node is not understood"


def _calculation(node: Node, after: tuple[int, ...], notes: _Notes) -> Operation:
    if not node.duration_us and node.kind not in ("METADATA_NODE", "COMP_NODE"):
        notes.add(f"a {node.kind} without duration_micros takes no time", node.place)
    if node.kind == "COMP_NODE" and not node.duration_us and "num_ops" in node.attributes:
        notes.add("a COMP_NODE with num_ops and without duration_micros takes no time", node.place)
    return Calculation(place=node.place, after=after, duration_s=node.duration_us * 1e-6)


def _message(node: Node, after: tuple[int, ...], rank: int, num_ranks: int) -> Operation:
    sends = node.kind == "COMM_SEND_NODE"
    own, other = ("comm_src", "comm_dst") if sends else ("comm_dst", "comm_src")
    peer = _number(node, other, most=num_ranks - 1)
    if own in node.attributes and _number(node, own, most=num_ranks - 1) != rank:
        raise TraceError(f"{node.place}: {own} is {node.attributes[own]}, and its file is rank {rank}'s; make them one")
    kind = Send if sends else Receive
    tag = _number(node, "comm_tag") if "comm_tag" in node.attributes else 0
    return kind(place=node.place, after=after, peer=peer, nbytes=_number(node, "comm_size"), tag=tag)


def _collective(
    node: Node, after: tuple[int, ...], rank: int, num_ranks: int, groups: Groups, notes: _Notes
) -> Operation:
    operation = _operation(node)
    ranks = _ranks(node, num_ranks, groups)
    if rank not in ranks:
        raise TraceError(f"{node.place}: rank {rank} is not in its group {_some(ranks)}; mend the group, or the trace")
    nbytes = 0 if operation == "barrier" else _number(node, "comm_size")
    root = 0
    if operation in ROOTED:
        named = next((name for name in ROOTS if name in node.attributes), None)
        if named is None:
            notes.add(f"a {operation} without a root: the first rank of its group was taken", node.place)
        else:
            wanted = _number(node, named)
            if wanted not in ranks:
                raise TraceError(f"{node.place}: root {wanted} is not in its group {_some(ranks)}; name one that is")
            root = ranks.index(wanted)
    total = nbytes * len(ranks) if operation in GROWS else nbytes
    return Collective(place=node.place, after=after, operation=operation, ranks=ranks, nbytes=total, root=root)


def _operation(node: Node) -> str:
    given = node.attributes.get("comm_type", UNKNOWN)
    if isinstance(given, str) and given in _NAMES:
        return _NAMES[given]
    number = as_whole(given)
    if number is None or not 0 <= number < len(COLLECTIVES):
        said = "is missing" if given == UNKNOWN else f"{str(given)[:40]!r} is not known"
        raise TraceError(
            f"{node.place}: comm_type {said}; it is from 0 (ALL_REDUCE) to {len(COLLECTIVES) - 1} (BARRIER)"
        )
    return COLLECTIVES[number]


def _ranks(node: Node, num_ranks: int, groups: Groups) -> tuple[int, ...]:
    name = str(node.attributes.get("pg_name", ""))
    if name:
        if name not in groups:
            raise TraceError(f"{node.place}: nobody says who is in group {name[:40]!r}; give a file with --groups")
        ranks = groups[name]
        if max(ranks) >= num_ranks or len(set(ranks)) != len(ranks):
            raise TraceError(f"{node.place}: group {name[:40]!r} is {_some(ranks)}, and ranks are 0 to {num_ranks - 1}")
        return ranks
    dimensions = node.attributes.get("involved_dim", node.attributes.get("involve_dims", []))
    if isinstance(dimensions, list) and not all(dimensions):
        what = "involved_dim leaves dimensions out, which depend on ASTRA-sim's network file; name the group by pg_name"
        raise TraceError(f"{node.place}: {what}")
    return tuple(range(num_ranks))


def _number(node: Node, name: str, most: float = math.inf) -> int:
    value = node.attributes.get(name, None)
    if value is None:
        raise TraceError(f"{node.place}: {name} is missing; a {node.kind} needs it")
    number = as_whole(value)
    if number is None or not 0 <= number <= most:
        bound = f"from 0 to {most}" if most < math.inf else "of 0 or more"
        raise TraceError(f"{node.place}: {name} {str(value)[:40]!r} is no whole number {bound}; write one")
    return number


def _some(ranks: Sequence[int]) -> str:
    return f"({', '.join(map(str, ranks[:8]))}{', ...' if len(ranks) > 8 else ''})"
