"""10,000 mutated requests and fabric files: each is served or refused in words, and none leaves a trace."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random

import pytest

from controller.__main__ import _expand
from controller.core import Controller
from controller.northbound import Face, handle
from topologies.fabric import FabricError
from topologies.formats import dumps, loads
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.yaml_lines import DocumentError

FABRIC = leaf_spine(2, 2, 2)
DEMAND = {"src": "h1", "dst": "h3", "src_port": 30000, "dst_port": 20000, "steps": [0, 1], "step_bytes": [10, 20]}
JOB = {
    "name": "a",
    "policy": "ecmp:seed=1",
    "priority": 1,
    "demands": [DEMAND, {**DEMAND, "src": "h2", "protocol": "udp"}],
}
SCHEDULED = {
    "name": "a",
    "policy": "pinned",
    "schedule": {"algorithm": "ring", "ranks": ["h1", "h2", "h3"], "bytes": 4000, "channels": 2, "itemsize": 4},
}
REQUESTS = [
    ("PUT", "/v1/jobs/a", JOB),
    ("PUT", "/v1/jobs/a", SCHEDULED),
    ("PUT", "/v1/jobs", [JOB]),
    ("PUT", "/v1/jobs/standing/policy", {"policy": "ecmp:seed=1"}),
    ("PUT", "/v1/links/leaf1-spine1", {"drained": True}),
]
STRANGE = [
    None,
    True,
    0,
    -1,
    1,
    2**63,
    1e400,
    0.5,
    "",
    "h1",
    "h9",
    "\u0000",
    "x" * 300,
    [],
    {},
    [[]],
    {"a": 1},
    "pinned:",
    65536,
]


def changed(value, random):
    """The value with something in it replaced, taken out, doubled or renamed."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        kind = random.random()
        if kind < 0.15:
            return {name: one for name, one in value.items() if name != key}
        if kind < 0.3:
            return {**value, random.choice(["nmae", "x", "steps", "src"]): random.choice(STRANGE)}
        return {**value, key: changed(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        if random.random() < 0.3:
            return [*value, random.choice([*STRANGE, value[place]])]
        return [*value[:place], changed(value[place], random), *value[place + 1 :]]
    return random.choice(STRANGE)


def damaged(text, random):
    place = random.randrange(len(text) + 1)
    return (
        text[:place]
        + bytes(random.randrange(256) for _ in range(random.randrange(3)))
        + text[place + random.randrange(4) :]
    )


@pytest.mark.parametrize("chunk", range(5))
def test_mutated_requests(chunk):
    core, random, served = Controller(FABRIC), Random(chunk), 0
    face = Face(core, "ryu", _expand)
    core.handle(handle("PUT", "/v1/jobs/standing", body({**JOB, "name": "standing"}), face).event, 0.0)
    for number in range(1400):
        method, target, content = REQUESTS[number % len(REQUESTS)]
        for _ in range(random.randrange(3)):
            content = changed(content, random)
        text = body(content)
        for _ in range(random.choice([0, 0, 0, 1, 2])):
            text = damaged(text, random)
        answer = handle(method, target, text, face)
        assert answer.status in (200, 400, 404, 409), answer.body
        assert answer.content()
        if answer.status != 200:
            assert answer.event is None
            assert set(answer.body) == {"error"}
            assert "\n" not in answer.body["error"]
        served += answer.status == 200
    assert 100 < served < 1300
    assert core.epoch == 1


def body(content):
    return json.dumps(content).encode()


@pytest.mark.parametrize("chunk", range(3))
def test_mutated_fabric_files(chunk):
    random, read = Random(chunk), 0
    texts = [dumps(fabric) for fabric in (leaf_spine(2, 2, 1), ring(3, 1))]
    texts.append("generator: leaf-spine\nleaves: 2\nspines: 2\nhosts: 2\nrate: 10G\n")
    for number in range(1000):
        text = texts[number % len(texts)].encode()
        for _ in range(random.randrange(4)):
            text = damaged(text, random)
        with suppress(DocumentError, FabricError, ValueError):  # anything else is a fault of ours
            loads(text.decode("utf-8", "replace"), "fabric.yaml")
            read += 1
    assert 100 < read < 1000
