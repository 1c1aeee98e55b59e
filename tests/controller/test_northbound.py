"""The northbound face: what it answers, and that a bad request changes nothing."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from controller import northbound, planning
from controller.core import Controller
from controller.events import BarrierReply, JobPlanned, JobWithdrawn, LinkDrained, SwitchState, SwitchUp
from controller.job_request import RequestError
from controller.northbound import ROUTES, Face, Wait, handle, refusal, wait_of
from controller.openapi import document
from controller.routing import Policy, spanning_tree
from topologies.addressing import dpid
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey, Path

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


def expand(request):
    """As the process does it, but for the collectives that it knows: a flow from each rank to the next."""
    if request.algorithm != "ring":
        raise ValueError(f"no algorithm {request.algorithm!r}")
    hosts = request.ranks
    return [
        Demand(FlowKey(a, b, 30000, 20000), (0,), (request.nbytes,))
        for a, b in zip(hosts, (*hosts[1:], hosts[0]), strict=True)
    ]


DESCRIBED = document()
SCHEMAS = Registry().with_resource("urn:all", Resource.from_contents(DESCRIBED, default_specification=DRAFT202012))


def described(method, target):
    """The schema of the good answer to a request."""
    path = target.partition("?")[0].split("/")
    route = "/".join([*path[:3], "{name}", *path[4:]] if len(path) > 3 else path)
    return DESCRIBED["paths"][route][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]


def ask(core, method, target, body=b"", token=""):
    face = Face(core, "ryu 4.34", expand, token)
    answer = handle(method, target, body if isinstance(body, bytes) else json.dumps(body).encode(), face)
    if answer.status == 200 and isinstance(answer.body, (dict, list)) and "openapi" not in target:
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **described(method, target)}
        absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:all#/'))
        Draft202012Validator(absolute, registry=SCHEMAS).validate(json.loads(answer.content()))
    return answer


def do(core, method, target, body=b""):
    answer = ask(core, method, target, body)
    if answer.event:
        core.handle(answer.event, 0.0)
    return answer


def connect_all(core):
    for number, switch in enumerate(FABRIC.switches):
        core.handle(SwitchUp(dpid(FABRIC, switch), number), 0.0)
    waiting = [
        action
        for number, switch in enumerate(FABRIC.switches)
        for action in core.handle(SwitchState(dpid(FABRIC, switch), number, (), frozenset()), 0.0)
    ]
    answer_all(core, waiting)


def answer_all(core, waiting):
    while waiting:
        action = waiting.pop(0)
        if hasattr(action, "barrier_xid"):
            switch = FABRIC.switches[action.connection]
            waiting += core.handle(BarrierReply(dpid(FABRIC, switch), action.connection, action.barrier_xid), 0.0)


def test_status_before_and_after(core):
    answer = ask(core, "GET", "/v1/status")
    assert answer.status == 200
    assert answer.body == {
        "ready": False,
        "epoch": 0,
        "jobs": [],
        "links": {},
        "switches": dict.fromkeys(["leaf1", "leaf2", "spine1", "spine2"], "missing"),
        "errors": [],
        "refused": [],
        "handler_errors": 0,
        "flow_mods": 0,
        "settled_s": None,
        "framework": "ryu 4.34",
    }
    connect_all(core)
    assert ask(core, "GET", "/v1/status").body["ready"] is True
    do(core, "PUT", "/v1/jobs/ring", good())
    body = ask(core, "GET", "/v1/status").body
    assert (body["ready"], body["epoch"], body["jobs"]) == (False, 1, ["ring"])


def test_put_answers_the_placement_and_hands_out_the_event(core):
    answer = ask(core, "PUT", "/v1/jobs/ring", good())
    assert answer.status == 200
    # steps 0 and 1 are two groups: 30 bytes, then 20, on links of 100 Gb/s
    assert answer.body == {
        "epoch": 1,
        "name": "ring",
        "objective": pytest.approx(8 * 50 / 100e9),
        "lower_bound": pytest.approx(8 * 50 / 100e9),
        "gap": pytest.approx(0.0),
    }
    assert isinstance(answer.event, JobPlanned)
    assert core.epoch == 0  # nothing has changed yet
    assert do(core, "PUT", "/v1/jobs/ring", good()).body["epoch"] == 1
    assert do(core, "PUT", "/v1/jobs/ring", good()).body["epoch"] == 2
    assert [job["name"] for job in ask(core, "GET", "/v1/jobs").body] == ["ring"]
    assert ask(core, "GET", "/v1/jobs/ring").body["flows"] == 2


def test_a_schedule_stands_for_its_demands(core):
    job = {
        "name": "a",
        "policy": "pinned",
        "schedule": {"algorithm": "ring", "ranks": ["h1", "h3", "h2"], "bytes": 400},
    }
    do(core, "PUT", "/v1/jobs/a", job)
    assert [str(demand.key) for demand in core.jobs["a"].demands] == [
        "h1:30000->h3:20000",
        "h3:30000->h2:20000",
        "h2:30000->h1:20000",
    ]
    for change, error in [
        ({"algorithm": "rang"}, "schedule: no algorithm 'rang'"),
        ({"ranks": ["h1"]}, "schedule.ranks: ['h1'] must be a list of 2 to 4096 hosts"),
        (
            {"ranks": ["h1", "h7"]},
            "schedule.ranks[1]: no host 'h7' in fabric 'leaf-spine-2x2x2': it has h1, h2, h3, h4",
        ),
        ({"bytes": 401}, "schedule.bytes: 401 must be a multiple of itemsize, 4"),
        ({"channels": 0}, "schedule.channels: 0 must be a whole number from 1 to 32"),
    ]:
        bad = {**job, "schedule": {**job["schedule"], **change}}
        assert ask(core, "PUT", "/v1/jobs/a", bad).body == {"error": error}


def other(name="other", first=40000):
    job = good()
    for demand in job["demands"]:
        demand["src_port"] = first
    return {**job, "name": name}


def test_jobs_beside_each_other(core):
    do(core, "PUT", "/v1/jobs/ring", good())
    do(core, "PUT", "/v1/jobs/other", {**other(), "priority": 1})
    assert {job.name: job.priority for job in core.jobs.values()} == {"ring": 0, "other": 1}
    assert len({job.number for job in core.jobs.values()}) == 2
    answer = do(core, "PUT", "/v1/jobs/third", {**good(), "name": "third"})
    assert answer.status == 409
    assert "of job 'third' is one of job 'ring', too; use other ports" in answer.body["error"]
    assert len(ask(core, "GET", "/v1/paths").body) == 8
    assert len(ask(core, "GET", "/v1/paths?job=other").body) == 4
    assert ask(core, "GET", "/v1/paths?job=othr").body == {"error": "no job 'othr'; did you mean 'other'?"}
    assert do(core, "DELETE", "/v1/jobs/ring").body == {"epoch": 3}
    assert list(core.jobs) == ["other"]
    assert ask(core, "DELETE", "/v1/jobs/ring").status == 404


def test_a_list_of_jobs_replaces_all(core):
    do(core, "PUT", "/v1/jobs/old", {**good(), "name": "old"})
    answer = do(core, "PUT", "/v1/jobs", [good(), other()])
    assert [job["name"] for job in answer.body["jobs"]] == ["ring", "other"]
    assert list(core.jobs) == ["ring", "other"]
    assert core.epoch == 2
    twice = ask(core, "PUT", "/v1/jobs", [good(), good()])
    assert twice.body == {"error": "jobs[1].name: there is a job 'ring' before; names differ"}
    assert ask(core, "PUT", "/v1/jobs", [good(), {**good(), "name": "b"}]).status == 409
    assert (
        ask(core, "PUT", "/v1/jobs", [good(), {"name": "b"}]).body["error"].startswith("jobs[1]: 'policy' is missing")
    )


def test_another_policy_for_a_job(core):
    do(core, "PUT", "/v1/jobs/ring", good())
    assert do(core, "PUT", "/v1/jobs/ring/policy", {"policy": "shortest"}).status == 200
    assert core.jobs["ring"].policy == "shortest"
    assert ask(core, "PUT", "/v1/jobs/ring/policy", {"policy": "shortes"}).status == 400
    assert ask(core, "PUT", "/v1/jobs/ring/policy", ["shortest"]).status == 400
    assert ask(core, "PUT", "/v1/jobs/none/policy", {"policy": "shortest"}).status == 404


def test_links_are_drained_where_something_else_is_left(core):
    do(core, "PUT", "/v1/jobs/ring", good())
    answer = do(core, "PUT", "/v1/links/leaf1-spine1", {"drained": True})
    assert answer.event == LinkDrained("leaf1-spine1", True)
    assert answer.body == {"epoch": 2}
    states = {link["name"]: link["state"] for link in ask(core, "GET", "/v1/links").body}
    assert states["leaf1-spine1"] == "drained"
    assert do(core, "PUT", "/v1/links/leaf1-spine1", {"drained": True}).body == {"epoch": 2}  # nothing changes
    cut = ask(core, "PUT", "/v1/links/leaf1-spine2", {"drained": True})
    assert (cut.status, "no other live link joins leaf1 and spine2" in cut.body["error"]) == (409, True)
    host = ask(core, "PUT", "/v1/links/h1-leaf1", {"drained": True})
    assert (host.status, "leads to a host" in host.body["error"]) == (409, True)
    assert ask(core, "PUT", "/v1/links/leaf1-spine7", {"drained": True}).status == 404
    assert ask(core, "PUT", "/v1/links/leaf1-spine1", {"drained": 1}).status == 400
    assert do(core, "PUT", "/v1/links/leaf1-spine1", {"drained": False}).body == {"epoch": 3}


def test_names_in_addresses_may_be_quoted():
    core = Controller(leaf_spine(2, 2, 2, links=2))
    assert do(core, "PUT", "/v1/links/leaf1-spine1%232", {"drained": True}).event == LinkDrained("leaf1-spine1#2", True)


def test_paths_rules_and_groups(core):
    assert ask(core, "GET", "/v1/paths").body == []
    do(core, "PUT", "/v1/jobs/ring", good())
    paths = {item["flow"]: item for item in ask(core, "GET", "/v1/paths").body}
    assert len(paths) == 4
    one = paths["h1:30000->h3:20000"]
    assert one["nodes"][0] == "h1"
    assert one["hops"] == ["h1:1", "leaf1:3", "spine1:2", "leaf2:1"]
    assert one["backup_nodes"] == ["h1", "leaf1", "spine2", "leaf2", "h3"]
    assert (one["src"], one["dst"], one["src_port"], one["dst_port"]) == ("h1", "h3", 30000, 20000)
    assert one["acknowledges"] is False
    assert paths["h3:20000->h1:30000"]["acknowledges"] is True
    connect_all(core)
    rules = [rule for rule in ask(core, "GET", "/v1/rules").body if rule["job"] == "ring"]
    assert {rule["switch"] for rule in rules} == set(FABRIC.switches)
    assert all(group["buckets"][0]["actions"] for group in ask(core, "GET", "/v1/groups").body)
    assert ask(core, "GET", "/v1/counters").body == {"ports": [], "hot": [], "jobs": {}, "detour_packets": {}}


def test_delete_withdraws_once(core):
    assert ask(core, "DELETE", "/v1/jobs").body == {"epoch": 0}
    do(core, "PUT", "/v1/jobs/ring", good())
    answer = do(core, "DELETE", "/v1/jobs")
    assert answer.body == {"epoch": 2}
    assert isinstance(answer.event, JobWithdrawn)
    assert core.jobs == {}
    assert ask(core, "GET", "/v1/paths").body == []


def test_the_description_is_valid_and_of_what_there_is():
    validate(DESCRIBED)
    methods = {path: {name.upper() for name in one if name != "parameters"} for path, one in DESCRIBED["paths"].items()}
    assert methods == {path: set(one) for path, one in ROUTES.items()}


def test_the_token(core):
    face = Face(core, "ryu", expand, "s3cret")
    assert refusal(face, "/v1/status", "Bearer s3cret") is None
    assert refusal(face, "/metrics", "") is None
    for wrong in ("", "s3cret", "Bearer s3cre", "Bearer s3cret ", "Bearer \xe9"):
        assert refusal(face, "/v1/jobs", wrong).status == 401
    assert refusal(Face(core, "ryu", expand), "/v1/jobs", "") is None


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
        (b"[]", "body: [] must be a job, an object with name, policy"),
        (changed("policy", value=...), "body: 'policy' is missing; a job has name, policy"),
        (changed("demands", value=...), "body: a job has either demands or a schedule"),
        (changed("schedule", value={}), "body: a job has either demands or a schedule"),
        (changed("name", value="a/b"), "name: 'a/b' must be at most 128 printable characters, none of them /"),
        (changed("name", value="else"), "name: 'else' is not that of the address, 'ring'"),
        (changed("priority", value=2), "priority: 2 must be a whole number from 0 to 1"),
        (changed("demands", 0, "protocol", value="icmp"), "demands[0].protocol: 'icmp' must be 'tcp' or 'udp'"),
        (changed("demand", value=[]), "body: a job has no 'demand'; did you mean 'demands'?"),
        (changed("name", value=""), "name: '' must be a text"),
        (changed("policy", value=3), "policy: 3 must be a text"),
        (changed("policy", value="pined"), "no routing policy 'pined': did you mean 'pinned'?"),
        (changed("policy", value="ecmp:seed=x"), "policy 'ecmp': seed 'x' must be a whole number from 0 to 2^64 - 1"),
        (changed("demands", value={}), "demands: {} must be a list"),
        (changed("demands", 0, value=7), f"demands[0]: 7 must be a demand, an object with {ONE_OF}"),
        (changed(*FIRST, "dst", value=...), f"demands[0]: 'dst' is missing; a demand has {ONE_OF}"),
        (changed(*FIRST, "sorce", value=1), "demands[0]: a demand has no 'sorce'; did you mean 'src'?"),
        (changed(*FIRST, "x", value=1), f"demands[0]: a demand has no 'x'; there are {ONE_OF}, protocol"),
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
        (changed(*FIRST, "src_port", value=-1), "demands[0].src_port: -1 must be a whole number from 0 to 65535"),
        (changed(*FIRST, "src_port", value=0), "demands[0]: 0 stands for any port: give both ports, or 0 for both"),
        (changed(*FIRST, "dst_port", value=65536), "demands[0].dst_port: 65536 must be a whole number from 0 to 65535"),
        (
            changed(*FIRST, "src_port", value="30000"),
            "demands[0].src_port: '30000' must be a whole number from 0 to 65535",
        ),
        (changed(*FIRST, "src_port", value=True), "demands[0].src_port: True must be a whole number from 0 to 65535"),
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
    do(core, "PUT", "/v1/jobs/ring", good())
    before = ask(core, "GET", "/v1/status").body, ask(core, "GET", "/v1/rules").body
    answer = do(core, "PUT", "/v1/jobs/ring", body)
    assert answer.status == 400
    assert answer.body == {"error": error}
    assert (ask(core, "GET", "/v1/status").body, ask(core, "GET", "/v1/rules").body) == before


def test_a_routing_fault_of_ours_is_found_by_the_proof_and_nothing_is_installed(core, monkeypatch):
    def to_the_neighbour(fabric, demands, situation, standing):
        paths = spanning_tree.route(fabric, demands)
        return {key: Path((*path.hops[:-1], Port("leaf2", 2))) for key, path in paths.items()}

    monkeypatch.setattr(planning, "policy", lambda text: Policy(text, to_the_neighbour, False))
    answer = do(core, "PUT", "/v1/jobs/ring", changed("demands", value=good()["demands"][:1]))
    assert answer.status == 500
    assert answer.body["error"].startswith("not installed, this is a fault of the controller: flow h1:30000->h3:20000")
    assert core.epoch == 0
    assert "delivered to h4" in answer.body["error"]


@pytest.mark.parametrize(
    ("method", "target", "status", "error"),
    [
        ("GET", "/", 404, "nothing at /: there are " + ", ".join(ROUTES)),
        ("GET", "/v2/status", 404, "nothing at /v2/status: there are " + ", ".join(ROUTES)),
        ("POST", "/v1/jobs", 405, "POST /v1/jobs: it takes GET, PUT, DELETE"),
        ("DELETE", "/v1/status", 405, "DELETE /v1/status: it takes GET"),
        ("GET", "/v1/status?epoch=3", 400, "query: no parameter 'epoch'; there are wait_epoch, timeout"),
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
    assert ask(core, "PUT", "/v1/jobs/ring", b" " * 10).status == 400
    assert ask(core, "PUT", "/v1/jobs/ring", b" " * 11).status == 413


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
    do(core, "PUT", "/v1/jobs/ring", good())
    assert not Wait(1, 1).over(core)
