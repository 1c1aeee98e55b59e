"""The northbound face: what it answers, and that a bad request changes nothing."""

from __future__ import annotations

import json

import pytest

from controller import northbound, planning
from controller.core import Controller
from controller.events import BarrierReply, JobPlanned, JobWithdrawn, SwitchUp
from controller.job_request import RequestError
from controller.northbound import Wait, handle, wait_of
from controller.routing import Policy, spanning_tree
from topologies.addressing import dpid
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Path

FABRIC = leaf_spine(2, 2, 2)


def good():
    return {
        "name": "ring",
        "policy": "pinned",
        "demands": [
            {"src": "h1", "dst": "h3", "src_port": 30000, "dst_port": 20000, "steps": [0, 1], "step_bytes": [10, 20]},
            {"src": "h2", "dst": "h4", "src_port": 30000, "dst_port": 20000, "steps": [0], "step_bytes": [30]},
        ],
    }


@pytest.fixture
def core():
    return Controller(FABRIC)


def ask(core, method, target, body=b""):
    answer = handle(method, target, body if isinstance(body, bytes) else json.dumps(body).encode(), core, "ryu 4.34")
    json.dumps(answer.body)
    return answer


def do(core, method, target, body=b""):
    answer = ask(core, method, target, body)
    if answer.event:
        core.handle(answer.event, 0.0)
    return answer


def connect_all(core):
    for number, switch in enumerate(FABRIC.switches):
        [install] = [a for a in core.handle(SwitchUp(dpid(FABRIC, switch), number), 0.0) if hasattr(a, "barrier_xid")]
        core.handle(BarrierReply(dpid(FABRIC, switch), number, install.barrier_xid), 0.0)


def test_status_before_and_after(core):
    answer = ask(core, "GET", "/v1/status")
    assert answer.status == 200
    assert answer.body == {
        "ready": False,
        "epoch": 0,
        "policy": None,
        "job": None,
        "switches": dict.fromkeys(["leaf1", "leaf2", "spine1", "spine2"], "missing"),
        "errors": [],
        "refused": [],
        "handler_errors": 0,
        "settled_s": None,
        "framework": "ryu 4.34",
    }
    connect_all(core)
    assert ask(core, "GET", "/v1/status").body["ready"] is True
    do(core, "PUT", "/v1/job", good())
    body = ask(core, "GET", "/v1/status").body
    assert (body["ready"], body["epoch"], body["policy"], body["job"]) == (False, 1, "pinned", "ring")


def test_put_answers_the_placement_and_hands_out_the_event(core):
    answer = ask(core, "PUT", "/v1/job", good())
    assert answer.status == 200
    # steps 0 and 1 are two groups: 30 bytes, then 20, on links of 100 Gb/s
    assert answer.body == {
        "epoch": 1,
        "objective": pytest.approx(8 * 50 / 100e9),
        "lower_bound": pytest.approx(8 * 50 / 100e9),
        "gap": pytest.approx(0.0),
    }
    assert isinstance(answer.event, JobPlanned)
    assert core.epoch == 0  # nothing has changed yet
    assert do(core, "PUT", "/v1/job", good()).body["epoch"] == 1
    assert do(core, "PUT", "/v1/job", good()).body["epoch"] == 2


def test_paths_and_rules(core):
    assert ask(core, "GET", "/v1/paths").body == []
    do(core, "PUT", "/v1/job", good())
    paths = {item["flow"]: item for item in ask(core, "GET", "/v1/paths").body}
    assert len(paths) == 4
    one = paths["h1:30000->h3:20000"]
    assert one["nodes"][0] == "h1"
    assert one["hops"] == ["h1:1", "leaf1:3", "spine1:2", "leaf2:1"]
    assert (one["src"], one["dst"], one["src_port"], one["dst_port"]) == ("h1", "h3", 30000, 20000)
    assert one["acknowledges"] is False
    assert paths["h3:20000->h1:30000"]["acknowledges"] is True
    connect_all(core)
    rules = ask(core, "GET", "/v1/rules").body
    assert {
        "switch": "leaf2",
        "priority": 100,
        "match": {
            "eth_type": 2048,
            "ip_proto": 6,
            "ipv4_src": "10.0.0.1",
            "ipv4_dst": "10.0.0.3",
            "tcp_src": 30000,
            "tcp_dst": 20000,
        },
        "out_port": 1,
        "cookie": "0x1000001",
    } in rules


def test_delete_withdraws_once(core):
    assert ask(core, "DELETE", "/v1/job").body == {"epoch": 0}
    do(core, "PUT", "/v1/job", good())
    answer = do(core, "DELETE", "/v1/job")
    assert answer.body == {"epoch": 2}
    assert isinstance(answer.event, JobWithdrawn)
    assert core.job is None
    assert ask(core, "GET", "/v1/paths").body == []


def changed(*places, value):
    """The good request with the value at ``places`` replaced, or taken out where it is ``...``."""
    body = good()
    at = body
    for place in places[:-1]:
        at = at[place]
    if value is ...:
        del at[places[-1]]
    else:
        at[places[-1]] = value
    return body


FIRST = ("demands", 0)
ONE_OF = "src, dst, src_port, dst_port, steps, step_bytes"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "body: not JSON: Expecting value in line 1, column 1"),
        (
            b'{"name": "x",\n  nope}',
            "body: not JSON: Expecting property name enclosed in double quotes in line 2, column 3",
        ),
        (b"\xff\xff", "body: not JSON: invalid start byte at byte 0"),
        (b"[" * 100_000, "body: nested too deeply"),
        (b"[]", "body: [] must be a job, an object with name, policy, demands"),
        (changed("policy", value=...), "body: 'policy' is missing; a job has name, policy, demands"),
        (changed("demand", value=[]), "body: a job has no 'demand'; did you mean 'demands'?"),
        (changed("name", value=""), "name: '' must be a text"),
        (changed("policy", value=3), "policy: 3 must be a text"),
        (changed("policy", value="pined"), "no routing policy 'pined': did you mean 'pinned'?"),
        (changed("policy", value="ecmp:seed=x"), "policy 'ecmp': seed 'x' must be a whole number from 0 to 2^64 - 1"),
        (changed("demands", value={}), "demands: {} must be a list"),
        (changed("demands", 0, value=7), f"demands[0]: 7 must be a demand, an object with {ONE_OF}"),
        (changed(*FIRST, "dst", value=...), f"demands[0]: 'dst' is missing; a demand has {ONE_OF}"),
        (changed(*FIRST, "sorce", value=1), "demands[0]: a demand has no 'sorce'; did you mean 'src'?"),
        (changed(*FIRST, "x", value=1), f"demands[0]: a demand has no 'x'; there are {ONE_OF}"),
        (
            changed("demands", 1, "src", value="h99"),
            "demands[1].src: no host 'h99' in fabric 'leaf-spine-2x2x2': it has h1, h2, h3, h4",
        ),
        (
            changed(*FIRST, "dst", value="leaf1"),
            "demands[0].dst: no host 'leaf1' in fabric 'leaf-spine-2x2x2': it has h1, h2, h3, h4",
        ),
        (changed(*FIRST, "dst", value=3), "demands[0].dst: 3 must be a text"),
        (
            changed(*FIRST, "dst", value="h1"),
            "demands[0]: src and dst are both 'h1'; such a flow never leaves its host",
        ),
        (changed(*FIRST, "src_port", value=0), "demands[0].src_port: 0 must be a whole number from 1 to 65535"),
        (changed(*FIRST, "dst_port", value=65536), "demands[0].dst_port: 65536 must be a whole number from 1 to 65535"),
        (
            changed(*FIRST, "src_port", value="30000"),
            "demands[0].src_port: '30000' must be a whole number from 1 to 65535",
        ),
        (changed(*FIRST, "src_port", value=True), "demands[0].src_port: True must be a whole number from 1 to 65535"),
        (changed(*FIRST, "steps", value=3), "demands[0].steps: 3 must be a list of whole numbers"),
        (
            changed(*FIRST, "steps", value=[0, -1]),
            f"demands[0].steps[1]: -1 must be a whole number from 0 to {2**63 - 1}",
        ),
        (changed(*FIRST, "steps", value=[1, 1]), "demands[0].steps: a step is named twice"),
        (changed(*FIRST, "steps", value=[1]), "demands[0].step_bytes: 2 entries for 1 steps; one for each"),
        (
            changed(*FIRST, "step_bytes", value=[1, 2.5]),
            f"demands[0].step_bytes[1]: 2.5 must be a whole number from 0 to {2**63 - 1}",
        ),
        (
            changed("demands", 1, value=good()["demands"][0]),
            "demands[1]: flow h1:30000->h3:20000 is demands[0] already; use another port",
        ),
    ],
)
def test_a_bad_job_gets_one_line_that_names_the_place_and_changes_nothing(core, body, error):
    do(core, "PUT", "/v1/job", good())
    before = ask(core, "GET", "/v1/status").body, ask(core, "GET", "/v1/rules").body
    answer = do(core, "PUT", "/v1/job", body)
    assert answer.status == 400
    assert answer.body == {"error": error}
    assert (ask(core, "GET", "/v1/status").body, ask(core, "GET", "/v1/rules").body) == before


def test_a_routing_fault_of_ours_is_found_by_the_proof_and_nothing_is_installed(core, monkeypatch):
    def to_the_neighbour(fabric, demands):
        paths = spanning_tree.route(fabric, demands)
        return {key: Path((*path.hops[:-1], Port("leaf2", 2))) for key, path in paths.items()}

    monkeypatch.setattr(planning, "policy", lambda text: Policy(text, to_the_neighbour, False))
    answer = do(core, "PUT", "/v1/job", changed("demands", value=good()["demands"][:1]))
    assert answer.status == 500
    assert answer.body["error"].startswith("not installed, this is a fault of the controller: flow h1:30000->h3:20000")
    assert core.epoch == 0
    assert "delivered to h4" in answer.body["error"]


@pytest.mark.parametrize(
    ("method", "target", "status", "error"),
    [
        ("GET", "/", 404, "nothing at /: there are /v1/status, /v1/job, /v1/paths, /v1/rules"),
        ("GET", "/v2/status", 404, "nothing at /v2/status: there are /v1/status, /v1/job, /v1/paths, /v1/rules"),
        ("POST", "/v1/job", 405, "POST /v1/job: it takes PUT, DELETE"),
        ("DELETE", "/v1/status", 405, "DELETE /v1/status: it takes GET"),
        ("GET", "/v1/status?epoch=3", 400, "query: no parameter 'epoch'; there are wait_epoch and timeout"),
        ("GET", "/v1/status?wait_epoch=x", 400, "query: wait_epoch='x' must be a number from 0"),
        ("GET", "/v1/status?timeout=-1", 400, "query: timeout='-1' must be a number from 0"),
        ("GET", "/v1/status?timeout=inf", 400, "query: timeout='inf' must be a number from 0"),
        ("GET", "/v1/status?timeout=nan", 400, "query: timeout='nan' must be a number from 0"),
    ],
)
def test_other_mistakes(core, method, target, status, error):
    answer = ask(core, method, target)
    assert (answer.status, answer.body) == (status, {"error": error})
    if status == 405:
        assert answer.headers[0][0] == "Allow"


def test_a_body_that_is_too_long(core, monkeypatch):
    monkeypatch.setattr(northbound, "MAX_BODY_BYTES", 10)
    assert ask(core, "PUT", "/v1/job", b" " * 10).status == 400
    assert ask(core, "PUT", "/v1/job", b" " * 11).status == 413


def test_which_requests_wait_and_until_when(core):
    assert wait_of("GET", "/v1/status") is None
    assert wait_of("GET", "/v1/paths?wait_epoch=1") is None
    assert wait_of("PUT", "/v1/status?wait_epoch=1") is None
    assert wait_of("GET", "/v1/status?wait_epoch=2&timeout=1.5") == Wait(2, 1.5)
    assert wait_of("GET", "/v1/status?wait_epoch=2&timeout=1e9") == Wait(2, northbound.MAX_WAIT_S)
    with pytest.raises(RequestError):
        wait_of("GET", "/v1/status?wait=1")
    assert not Wait(0, 1).over(core)
    connect_all(core)
    assert Wait(0, 1).over(core)
    assert not Wait(1, 1).over(core)
    do(core, "PUT", "/v1/job", good())
    assert not Wait(1, 1).over(core)
