"""What is saved is read again exactly, and nothing else is taken for it."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random

import pytest

from controller.job_request import JobRequest
from controller.planning import plan
from controller.saved import Saved, SavedError, read, written
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey

FABRIC = leaf_spine(2, 2, 2)
DEMANDS = (Demand(FlowKey("h1", "h3", 1, 2), (0, 3), (10, 20)), Demand(FlowKey("h2", "h4", 1, 4791, "udp"), (1,), (7,)))
JOB = plan(FABRIC, JobRequest("a", "pinned", DEMANDS, 1), 300, 5)
STATE = Saved({"a": JOB}, 5, 3, frozenset({"leaf1-spine1"}), frozenset({"leaf1-spine1"}))


def test_what_is_written_is_read():
    again = read(FABRIC, written(FABRIC, STATE))
    assert again == STATE
    assert again.jobs["a"].entries == JOB.entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "can't be read"),
        ("[]", "can't be read"),
        ("{}", "can't be read"),
        (written(ring(3, 1), Saved()), "of fabric 'ring-3x1', not 'leaf-spine-2x2x2'"),
        (written(FABRIC, STATE).replace('"format": 1', '"format": 2'), "format 2 is not 1"),
        (written(FABRIC, STATE).replace("leaf1-spine1", "leaf1-spine9"), "no link 'leaf1-spine9'"),
        (written(FABRIC, STATE).replace('"resident_version": 3', '"resident_version": 30'), "version 30 is unknown"),
        (written(FABRIC, STATE).replace('["leaf1", 3]', '["leaf1", 33]'), "no port leaf1:33"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(SavedError, match=message):
        read(FABRIC, text)


def test_a_damaged_text_is_read_or_refused():
    text, random = written(FABRIC, STATE), Random(1)
    for _ in range(1000):
        place = random.randrange(len(text))
        damaged = (
            text[:place]
            + random.choice(['"', "0", "-", "[", "", "x", "null", "1e9"])
            + text[place + random.randrange(3) :]
        )
        with suppress(SavedError):
            read(FABRIC, damaged)


def test_nothing_is_a_state_too():
    assert json.loads(written(FABRIC, Saved()))["jobs"] == []
    assert read(FABRIC, written(FABRIC, Saved())) == Saved()
