"""Metrics: what the controller knows, in the text form that Prometheus scrapes. Pure but for the caller's clock.

Names follow Prometheus' habits: base units (seconds, bytes, ratios), ``_total`` for counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from controller.core import Controller

CONTENT_TYPE = CONTENT_TYPE_LATEST

_PREFIX = "ringlab_"
_PORT_COUNTERS = {
    "tx_bytes": "port_transmit_bytes",
    "rx_bytes": "port_receive_bytes",
    "tx_packets": "port_transmit_packets",
    "rx_packets": "port_receive_packets",
    "tx_dropped": "port_transmit_dropped_packets",
    "rx_dropped": "port_receive_dropped_packets",
    "tx_errors": "port_transmit_errors",
    "rx_errors": "port_receive_errors",
}
_PORT_HELP = "What the switch counted at its port: bytes and packets of whole frames, drops and errors."
_PORT = ("switch", "port", "peer", "link")


def exposition(controller: Controller, framework: str, now: float) -> str:
    """All metrics; ``now`` on the clock by which the controller is told its events, in seconds."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(
        _Families([*_of_controller(controller, framework), *_of_jobs(controller), *_of_ports(controller, now)])
    )
    return generate_latest(registry).decode()


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauge(
    name: str, text: str, samples: Iterable[tuple[tuple[str, ...], float]], labels: tuple[str, ...] = ()
) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(
    name: str, text: str, samples: Iterable[tuple[tuple[str, ...], float]], labels: tuple[str, ...] = ()
) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _of_controller(controller: Controller, framework: str) -> Iterator[Metric]:
    yield InfoMetricFamily(
        _PREFIX + "controller",
        "The OpenFlow framework and the fabric that the controller runs.",
        {"framework": framework, "fabric": controller.fabric.name},
    )
    yield _gauge("ready", "1 if every switch has all that is wanted, else 0.", [((), controller.ready)])
    yield _gauge("epoch", "Number of the last change of jobs or links.", [((), controller.epoch)])
    if controller.settled_s is not None:
        yield _gauge(
            "update_seconds", "How long the last update took until all answered.", [((), controller.settled_s)]
        )
    yield _gauge("refused_entries", "Rules and groups that switches refused.", [((), len(controller.refused))])
    yield _counter("flow_mods", "Rules and groups sent to switches.", [((), controller.flow_mods)])
    yield _counter("handler_errors", "Errors of the controller's own code.", [((), controller.handler_errors)])
    states = controller.switches().items()
    connected = [((switch,), state != "missing") for switch, state in states]
    yield _gauge("switch_connected", "1 if the switch is connected, else 0.", connected, ("switch",))
    tables = controller.tables.items()
    rules = [((switch,), sum(1 for _ in table.rules)) for switch, table in tables]
    yield _gauge("switch_rules", "Rules that the switch has.", rules, ("switch",))
    groups = [((switch,), len(table.groups)) for switch, table in tables]
    yield _gauge("switch_groups", "Fast-failover groups that the switch has.", groups, ("switch",))
    links = controller.links().items()
    yield _gauge(
        "link_up", "0 if the link is dead, else 1.", [((name,), state != "down") for name, state in links], ("link",)
    )
    drained = [((name,), state == "drained") for name, state in links]
    yield _gauge("link_drained", "1 if routes avoid the live link because it was asked for.", drained, ("link",))


def _of_jobs(controller: Controller) -> Iterator[Metric]:
    jobs = list(controller.jobs.values())
    objective = [((job.name, job.policy), job.assessment.objective_s) for job in jobs]
    bound = [((job.name, job.policy), job.assessment.lower_bound_s) for job in jobs]
    labels = ("job_name", "policy")  # Prometheus has a label "job" of its own
    yield _gauge("job_objective_seconds", "Predicted time of the job's most loaded links.", objective, labels)
    yield _gauge("job_lower_bound_seconds", "What no placement can beat.", bound, labels)
    uses = [(job, use) for job in jobs if (use := controller.telemetry.jobs.get(job.number))]
    nbytes = [((job.name, job.policy), use.nbytes) for job, use in uses]
    yield _counter(
        "job_bytes", "Bytes that the job's flows brought into the fabric, acknowledgements too.", nbytes, labels
    )
    packets = [((job.name, job.policy), use.packets) for job, use in uses]
    yield _counter("job_packets", "Packets that the job's flows brought into the fabric.", packets, labels)


def _of_ports(controller: Controller, now: float) -> Iterator[Metric]:
    fabric, telemetry = controller.fabric, controller.telemetry
    named = [
        ((port.node, str(port.number), str(fabric.peer(port)), fabric.link(port).name), port, use)
        for port, use in telemetry.ports.items()
    ]
    for field, name in _PORT_COUNTERS.items():
        yield _counter(name, _PORT_HELP, [(labels, getattr(use.total, field)) for labels, _, use in named], _PORT)
    rates = [(labels, telemetry.wire_bps(port) / 8) for labels, port, _ in named]
    yield _gauge(
        "port_speed_bytes",
        "Bytes per second that the wire carries each way: the link's rate, divided by --scale.",
        rates,
        _PORT,
    )
    used = [(labels, use.utilisation) for labels, _, use in named]
    yield _gauge("port_utilisation_ratio", "Share of the wire's rate that the port sent at lately.", used, _PORT)
    detours = [((switch,), count) for switch, count in telemetry.detours.items()]
    yield _counter("switch_detour_packets", "Packets that took a backup, as their port was dead.", detours, ("switch",))
    ages = [((switch,), now - at) for switch in fabric.switches if (at := telemetry.told_at(switch)) is not None]
    yield _gauge("counters_age_seconds", "How long ago the switch told its counters.", ages, ("switch",))
