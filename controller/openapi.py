"""OpenAPI: the description of the northbound face that programs can read. Data; ``northbound.py`` does what it says."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number"}
_FLAG = {"type": "boolean"}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _object(optional: dict[str, Any] | None = None, **needed: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(needed),
        "properties": {**needed, **(optional or {})},
        "additionalProperties": False,
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_PORT_NUMBER = {
    "type": "integer",
    "minimum": 0,
    "maximum": 65535,
    "description": "0, for both ports: every connection between the two hosts that no flow with ports names.",
}
_DEMAND = _object(
    {"protocol": {"enum": ["tcp", "udp"]}},
    src=_TEXT,
    dst=_TEXT,
    src_port=_PORT_NUMBER,
    dst_port=_PORT_NUMBER,
    steps=_list(_COUNT),
    step_bytes=_list(_COUNT),
)
_SCHEDULE = _object(
    {"channels": _COUNT, "itemsize": _COUNT},
    algorithm=_TEXT,
    ranks=_list(_TEXT),
    bytes={"type": "integer", "minimum": 1},
)
_JOB = {
    **_object(
        {"demands": _list(_ref("Demand")), "schedule": _ref("Schedule"), "priority": {"enum": [0, 1]}},
        name=_TEXT,
        policy=_TEXT,
    ),
    "description": "Either demands or a schedule. Policies: spanning-tree, shortest, ecmp[:seed=N], least-loaded, "
    "pinned, rail, spray-channels[:seed=N].",
    "oneOf": [{"required": ["demands"]}, {"required": ["schedule"]}],
}
_SECONDS = {"name": _TEXT, "objective": _NUMBER, "lower_bound": _NUMBER, "gap": _NUMBER}
_PLACED_JOB = _object(
    None,
    **_SECONDS,
    policy=_TEXT,
    priority=_COUNT,
    flows=_COUNT,
    protected=_COUNT,
    entries=_COUNT,
    sent_bytes=_COUNT,
    sent_bps=_NUMBER,
)
_STATUS = _object(
    None,
    ready=_FLAG,
    epoch=_COUNT,
    jobs=_list(_TEXT),
    switches=_map({"enum": ["missing", "installing", "ready"]}),
    links=_map({"enum": ["down", "drained"]}),
    errors=_list(_TEXT),
    refused=_list(_TEXT),
    handler_errors=_COUNT,
    flow_mods=_COUNT,
    settled_s={"type": ["number", "null"]},
    framework=_TEXT,
)
_PATH = _object(
    None,
    job=_TEXT,
    flow=_TEXT,
    src=_TEXT,
    dst=_TEXT,
    src_port=_PORT_NUMBER,
    dst_port=_PORT_NUMBER,
    protocol={"enum": ["tcp", "udp"]},
    hops=_list(_TEXT),
    nodes=_list(_TEXT),
    backup_nodes={"type": ["array", "null"], "items": _TEXT},
    acknowledges=_FLAG,
)
_RULE = _object(
    None,
    switch=_TEXT,
    priority=_COUNT,
    match=_map({"type": ["string", "integer"]}),
    actions=_list(_TEXT),
    cookie=_TEXT,
    job={"type": ["string", "null"]},
)
_GROUP = _object(
    None, switch=_TEXT, group=_COUNT, buckets=_list(_object(None, watch_port=_COUNT, actions=_list(_TEXT)))
)
_LINK = _object(None, name=_TEXT, ends=_list(_TEXT), state={"enum": ["up", "down", "drained"]}, rate_bps=_COUNT)
_PORT = _object(
    None,
    port=_TEXT,
    peer=_TEXT,
    link=_TEXT,
    tx_bps=_NUMBER,
    rx_bps=_NUMBER,
    utilisation=_NUMBER,
    **{f"{way}_{what}": _COUNT for what in ("bytes", "packets", "dropped") for way in ("tx", "rx")},
)
_COUNTERS = _object(
    None,
    ports=_list(_ref("Port")),
    hot=_list(_ref("Port")),
    jobs=_map(_object(None, packets=_COUNT, bytes=_COUNT, bps=_NUMBER)),
    detour_packets=_map(_COUNT),
)
_SCHEMAS = {
    "Demand": _DEMAND,
    "Schedule": _SCHEDULE,
    "Job": _JOB,
    "PlacedJob": _PLACED_JOB,
    "Status": _STATUS,
    "Path": _PATH,
    "Rule": _RULE,
    "Group": _GROUP,
    "Link": _LINK,
    "Port": _PORT,
    "Counters": _COUNTERS,
    "Epoch": _object(None, epoch=_COUNT),
    "Placed": _object(None, epoch=_COUNT, **_SECONDS),
    "PlacedAll": _object(None, epoch=_COUNT, jobs=_list(_object(None, **_SECONDS))),
    "Policy": _object(None, policy=_TEXT),
    "Drained": _object(None, drained=_FLAG),
    "Error": _object(None, error=_TEXT),
}


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


_ERRORS = {
    "401": "The token is missing or wrong.",
    "400": "The request is wrong; nothing was changed.",
    "404": "There is nothing of that name.",
    "409": "It can't stand beside what stands; nothing was changed.",
    "413": "The body is too large.",
}


def _does(
    text: str, answer: dict[str, Any], body: dict[str, Any] | None = None, **parameters: dict[str, Any]
) -> dict[str, Any]:
    query = [{"name": name, "in": "query", "schema": schema} for name, schema in parameters.items()]
    does: dict[str, Any] = {"summary": text, "parameters": query, "responses": {"200": _answer(text, answer)}}
    does["responses"] |= {code: _answer(reason, _ref("Error")) for code, reason in _ERRORS.items()}
    if body is not None:
        does["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return does


_NAME = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
_WAIT: dict[str, dict[str, Any]] = {"wait_epoch": _COUNT, "timeout": _NUMBER}
_PATHS = {
    "/v1/status": {"get": _does("State; with wait_epoch, held back until it is settled.", _ref("Status"), **_WAIT)},
    "/v1/jobs": {
        "get": _does("All jobs.", _list(_ref("PlacedJob"))),
        "put": _does("These jobs instead of all.", _ref("PlacedAll"), _list(_ref("Job"))),
        "delete": _does("All jobs go; the resident rules stay.", _ref("Epoch")),
    },
    "/v1/jobs/{name}": {
        "parameters": [_NAME],
        "get": _does("The job.", _ref("PlacedJob")),
        "put": _does("The job beside the others, or in its own place.", _ref("Placed"), _ref("Job")),
        "delete": _does("The job goes.", _ref("Epoch")),
    },
    "/v1/jobs/{name}/policy": {
        "parameters": [_NAME],
        "put": _does("The job is placed by another policy.", _ref("Placed"), _ref("Policy")),
    },
    "/v1/paths": {"get": _does("Paths and backups of all flows, or of a job's.", _list(_ref("Path")), job=_TEXT)},
    "/v1/rules": {"get": _does("Every switch's rules.", _list(_ref("Rule")))},
    "/v1/groups": {"get": _does("Every switch's fast-failover groups.", _list(_ref("Group")))},
    "/v1/links": {"get": _does("All links and their states.", _list(_ref("Link")))},
    "/v1/links/{name}": {
        "parameters": [_NAME],
        "put": _does("Flows leave the link without loss, or may use it again.", _ref("Epoch"), _ref("Drained")),
    },
    "/v1/counters": {"get": _does("What ports and flows counted, and the fullest links.", _ref("Counters"))},
    "/v1/openapi.json": {"get": _does("This description.", {"type": "object"})},
    "/metrics": {
        "get": {
            "summary": "Metrics for Prometheus.",
            "security": [],
            "responses": {"200": {"description": "Metrics.", "content": {"text/plain": {"schema": _TEXT}}}},
        }
    },
}


def document() -> dict[str, Any]:
    """The description, as OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ringlab controller",
            "version": "1",
            "description": "Announce jobs; see paths, rules and counters; drain links.",
        },
        "security": [{}, {"token": []}],
        "paths": _PATHS,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "If started with --token-file."}
            },
        },
    }
