"""A fabric as htsim's ``.topo`` file (csg-htsim, uet-htsim): leaf-spines and fat-trees, described by tiers; and back.

The file has a header and a block a tier, a word and a whole number a line; upper and lower case are one in the word::

    Nodes 8
    Tiers 2
    Podsize 8

    Tier 0
    Downlink_speed_Gbps 100
    Downlink_Latency_ns 1000
    Radix_Down 2
    Radix_Up 2

    Tier 1
    ...

Tier 0 are the leaves, whose downlinks are hosts. ``Bundle`` of a tier is the number of parallel links to each switch
below it. ``Oversubscribed`` must be what speeds and radices give. In three tiers a pod's switch p of the middle tier is
joined to the cores of plane p; cores are numbered plane by plane here (``core1`` is htsim's core 0; its ``core2`` is
the first of plane 1, ours the second of plane 0), which is what the generator ``fat-tree`` does.

A fabric's links have a latency, its switches have none: half of ``Switch_Latency_ns`` is put on each link of the
switch, so that every way from host to host takes the time that htsim gives it. Queues are no part of a fabric. A host's
number is its place, from 0: the numbers of a connection matrix (``htsim_traffic.py``) are these.

Source: ``sim/datacenter/fat_tree_topology.cpp`` of Broadcom's csg-htsim, ``load`` and ``set_custom_params``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise, product

from topologies.counts import check_links, numbered
from topologies.drafts import Draft, Imported, Unsaid, stem
from topologies.fabric import Fabric, FabricError
from topologies.htsim_tiers import GIGA, MOST_TIERS, Shape, Tier, read_off
from topologies.rates import format_rate
from topologies.spelling import did_you_mean
from topologies.word_lines import whole_number, word_lines

HEADER_FIELDS = ("Nodes", "Tiers", "Podsize")
TIER_FIELDS = (
    "Downlink_speed_Gbps", "Downlink_Latency_ns", "Switch_Latency_ns", "Radix_Down", "Radix_Up", "Bundle",
    "Oversubscribed", "Queue_Down", "Queue_Up",
)  # fmt: skip
NEEDED = ("Downlink_speed_Gbps", "Downlink_Latency_ns", "Radix_Down")
"""Of every tier; all but the last need ``Radix_Up`` too."""

_NAME = re.compile(r'^# fabric (".*")\s*$', re.MULTILINE)

_Block = dict[str, tuple[int, int]]
"""Fields of the header or a tier, in lower case: the value, and its line."""


def is_htsim(text: str) -> bool:
    """Whether ``text`` begins as htsim's files do."""
    words = next((words for _, words in word_lines(text)), [])
    return len(words) == 2 and words[0].lower() in map(str.lower, HEADER_FIELDS)


def loads(text: str, where: str = "fabric", unsaid: Unsaid | None = None) -> Imported:
    """The fabric in ``text``; ``where`` (a file's name) goes into errors.

    Raises DocumentError, one line an error: ``WHERE:LINE: field: what; what to do``.
    """
    draft = Draft(where, _name(text) or stem(where))
    header, *tiers = _blocks(text, draft)
    if not draft.errors:
        _check_fields(header, tiers, draft)
    if not draft.errors:
        shape = _shape(header, tiers)
        _check_shape(shape, header, tiers, draft)
        if not draft.errors:
            _wire(shape, draft)
            draft.notes += _notes(tiers)
    return draft.finish(unsaid or Unsaid())


def dumps(fabric: Fabric) -> str:
    """A ``.topo`` file that htsim runs and ``loads`` reads back to an equal fabric, but for names.

    FabricError where the fabric is none of those: it names the first thing that is not as a tier has it.
    """
    shape = read_off(fabric)
    lines = [f"# fabric {json.dumps(fabric.name)}", f"Nodes {shape.nodes}", f"Tiers {len(shape.tiers)}"]
    lines.append(f"Podsize {shape.podsize}")
    for number, tier in enumerate(shape.tiers):
        lines += ["", f"Tier {number}", f"Downlink_speed_Gbps {tier.rate_bps // GIGA}"]
        lines += [f"Downlink_Latency_ns {int(tier.latency_ns)}", f"Radix_Down {tier.radix_down}"]
        if tier.radix_up:
            lines += [f"Radix_Up {tier.radix_up}", f"Oversubscribed {tier.radix_down // tier.radix_up}"]
        if tier.bundle > 1:
            lines.append(f"Bundle {tier.bundle}")
    return "\n".join(lines) + "\n"


# -- reading ----------------------------------------------------------------------------
def _name(text: str) -> str | None:
    """The name that ``dumps`` wrote."""
    match = _NAME.search(text)
    try:
        name = json.loads(match[1]) if match else None
    except ValueError:
        return None
    return name if isinstance(name, str) else None


def _blocks(text: str, draft: Draft) -> list[_Block]:
    """The header and the tiers in their order; what can't be one of their fields is an error."""
    blocks: list[_Block] = [{}]
    for line, words in word_lines(text):
        number = whole_number(words[1]) if len(words) == 2 else None
        if words[0].lower() in ("connections", "triggers", "failures") or "->" in words[0]:
            draft.refuse((line, words[0]), "is of a connection matrix (.cm) and no topology; give a .topo file")
            break
        if words[0].lower() == "tier":
            if number != len(blocks) - 1:
                draft.refuse((line, " ".join(words)), f"tiers come in their order; write Tier {len(blocks) - 1}")
                break
            blocks.append({})
            continue
        known = HEADER_FIELDS if len(blocks) == 1 else TIER_FIELDS
        key = words[0].lower()
        if key not in map(str.lower, known):
            draft.refuse((line, words[0]), f"no such field here; {did_you_mean(words[0], known)}")
        elif number is None:
            draft.refuse((line, words[0]), f"needs one whole number, like {words[0]} 8")
        elif key in blocks[-1]:
            draft.refuse((line, words[0]), f"given twice, first in line {blocks[-1][key][1]}; keep one")
        else:
            blocks[-1][key] = number, line
    return blocks


def _check_fields(header: _Block, tiers: Sequence[_Block], draft: Draft) -> None:
    for field in HEADER_FIELDS:
        _check_there(header, field, "header", draft)
    if draft.errors:
        return
    count, line = header["tiers"]
    if not 2 <= count <= MOST_TIERS:
        draft.refuse((line, "Tiers"), f"{count} is out of range; htsim builds 2 or 3")
    elif len(tiers) != count:
        draft.refuse((line, "Tiers"), f"says {count}, and {len(tiers)} blocks follow; write a block Tier N for each")
    for number, tier in enumerate(tiers):
        last = number == len(tiers) - 1
        for field in NEEDED if last else (*NEEDED, "Radix_Up"):
            _check_there(tier, field, f"Tier {number}", draft)
        if last and "radix_up" in tier:
            draft.refuse((tier["radix_up"][1], "Radix_Up"), "the top tier has no links up; leave it out")
        for field in ("bundle", "oversubscribed"):
            if field in tier and tier[field][0] < 1:
                draft.refuse((tier[field][1], field.capitalize()), "is 0; give at least 1")


def _check_there(block: _Block, field: str, called: str, draft: Draft) -> None:
    value, line = block.get(field.lower(), (None, 1))
    if value is None:
        draft.refuse((line, called), f"{field} is missing; write a line {field} NUMBER")
    elif value == 0:
        draft.refuse((line, field), "is 0; give at least 1")


def _shape(header: _Block, tiers: Sequence[_Block]) -> Shape:
    def value(tier: _Block, field: str, default: int = 0) -> int:
        return tier.get(field, (default, 0))[0]

    switch_ns = [Decimal(value(tier, "switch_latency_ns")) / 2 for tier in tiers]
    found = []
    for number, tier in enumerate(tiers):
        ends_ns = switch_ns[number] + (switch_ns[number - 1] if number else 0)
        top = number == len(tiers) - 1
        found.append(
            Tier(
                value(tier, "downlink_speed_gbps") * GIGA,
                value(tier, "downlink_latency_ns") + ends_ns,
                value(tier, "radix_down"),
                0 if top else value(tier, "radix_up"),
                value(tier, "bundle", 1),
            )
        )
    return Shape(header["nodes"][0], header["podsize"][0], tuple(found))


def _check_shape(shape: Shape, header: _Block, tiers: Sequence[_Block], draft: Draft) -> None:
    """The counts must fit each other; the first that does not is named, with what it should be."""
    for block, field, fits, why in _conditions(shape):
        if not fits:
            place = header if block < 0 else tiers[block]
            _, line = place.get(field.lower(), (0, 1))
            called = field if block < 0 else f"Tier {block}: {field}"
            draft.refuse((line, called), why)
            return
    try:
        check_links(shape.num_links)
    except FabricError as error:
        draft.refuse((header["nodes"][1], "Nodes"), str(error))


def _conditions(shape: Shape) -> Iterator[tuple[int, str, bool, str]]:
    """Block (-1: the header), field, whether it fits, and what is wrong if not. Later ones lean on earlier ones."""
    tiers, three = shape.tiers, len(shape.tiers) == MOST_TIERS
    yield -1, "Podsize", shape.nodes % shape.podsize == 0, f"{shape.nodes} nodes are no whole pods; give a divisor"
    if not three:
        yield -1, "Podsize", shape.podsize == shape.nodes, f"two tiers are one pod; write Podsize {shape.nodes}"
    yield 0, "Bundle", tiers[0].bundle == 1, "htsim's hosts have one link; leave it out"
    yield 0, "Radix_Down", shape.podsize % tiers[0].radix_down == 0, "does not divide Podsize; give a divisor"
    for below, above in pairwise(range(len(tiers))):
        up, bundle = tiers[below].radix_up, tiers[above].bundle
        yield below, "Radix_Up", up % bundle == 0, f"is no multiple of tier {above}'s Bundle {bundle}; make it one"
    down = shape.leaves_per_pod * tiers[1].bundle
    yield (
        1,
        "Radix_Down",
        tiers[1].radix_down == down,
        f"a pod's {shape.leaves_per_pod} leaves take {down} links; write it",
    )
    if three:
        down = shape.pods * tiers[2].bundle
        yield (
            2,
            "Radix_Down",
            tiers[2].radix_down == down,
            f"{shape.pods} pods take {down} links; write Radix_Down {down}",
        )


def _wire(shape: Shape, draft: Draft) -> None:
    """Nodes and links in the order of the generators ``leaf-spine`` and ``fat-tree``."""
    three = len(shape.tiers) == MOST_TIERS
    low, mid = ("edge", "agg") if three else ("leaf", "spine")
    leaves, uppers = shape.leaves_per_pod, shape.uppers_per_pod
    for host in numbered("h", shape.nodes):
        draft.add_node(host, (1, ""), is_host=True)
    switches = numbered(low, leaves * shape.pods) + numbered(mid, uppers * shape.pods)
    for switch in [*switches, *numbered("core", uppers * shape.cores_per_plane)]:
        draft.add_node(switch, (1, ""), is_host=False)
    for pod in range(shape.pods):
        below, above = range(pod * leaves, (pod + 1) * leaves), range(pod * uppers, (pod + 1) * uppers)
        if three:
            for leaf in below:
                _add_hosts(leaf, low, shape, draft)
            for leaf, upper in product(below, above):
                _add_links(f"{low}{leaf + 1}", f"{mid}{upper + 1}", shape.tiers[1], draft)
            for upper, core in product(above, range(shape.cores_per_plane)):
                number = upper % uppers * shape.cores_per_plane + core
                _add_links(f"{mid}{upper + 1}", f"core{number + 1}", shape.tiers[2], draft)
        else:
            for leaf in below:
                _add_hosts(leaf, low, shape, draft)
                for upper in above:
                    _add_links(f"{low}{leaf + 1}", f"{mid}{upper + 1}", shape.tiers[1], draft)


def _add_hosts(leaf: int, called: str, shape: Shape, draft: Draft) -> None:
    radix = shape.tiers[0].radix_down
    for host in range(leaf * radix, (leaf + 1) * radix):
        _add_links(f"h{host + 1}", f"{called}{leaf + 1}", shape.tiers[0], draft)


def _add_links(a: str, b: str, tier: Tier, draft: Draft) -> None:
    entry = {"a": a, "b": b, "rate": format_rate(tier.rate_bps), "latency": f"{tier.latency_ns}ns"}
    for _ in range(tier.bundle):
        draft.add_link(entry, (1, ""), {})


def _notes(tiers: Sequence[_Block]) -> Iterator[str]:
    queues = [field for tier in tiers for field in ("queue_down", "queue_up") if field in tier]
    if queues:
        yield f"{len(queues)} queue sizes (Queue_Down, Queue_Up) were left out; a fabric has no queues"
    if any(tier.get("switch_latency_ns", (0, 0))[0] for tier in tiers):
        yield "half of each Switch_Latency_ns is put on each of the switch's links"
    for number, tier in enumerate(tiers):
        if "oversubscribed" in tier:
            said = tier["oversubscribed"][0]
            if number + 1 == len(tiers):
                yield f"Oversubscribed {said} of the top tier means nothing; it was left out"
            elif not _is_oversubscribed(tier, tiers[number + 1], said):
                yield f"Tier {number}: Oversubscribed {said} is not what speeds and radices give; these were taken"


def _is_oversubscribed(tier: _Block, above: _Block, said: int) -> bool:
    down = tier["radix_down"][0] * tier["downlink_speed_gbps"][0]
    return down == tier["radix_up"][0] * above["downlink_speed_gbps"][0] * said
