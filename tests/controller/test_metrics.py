"""Metrics as Prometheus' own parser reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from controller import metrics
from controller.core import Controller
from controller.events import CountersRead, JobPlanned
from controller.job_request import JobRequest
from controller.planning import plan
from controller.rules import cookie
from controller.telemetry import FlowCounters, GroupCounters, PortCounters
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey

FABRIC = leaf_spine(2, 2, 2, fabric_rate_bps=8000)
DEMANDS = (Demand(FlowKey("h1", "h3", 1, 2), (0,), (1000,)),)


def scraped(core, now=0.0):
    return {family.name: family for family in text_string_to_metric_families(metrics.exposition(core, "ryu 4.34", now))}


def value(family, **labels):
    [sample] = [one for one in family.samples if labels.items() <= one.labels.items()]
    return sample.value


def test_every_metric_has_a_help_text_and_a_unit_in_its_name():
    core = Controller(FABRIC)
    core.handle(JobPlanned(plan(FABRIC, JobRequest('a"b', "pinned", DEMANDS), 7, 1)), 0.0)
    core.handle(
        CountersRead(
            1,
            1,
            [PortCounters(3, tx_bytes=5)],
            [FlowCounters(cookie(7, 1, 1, True), 2, 99)],
            [GroupCounters(1, (1, 4))],
        ),
        1.0,
    )
    core.handle(CountersRead(1, 1, [PortCounters(3, tx_bytes=505)]), 2.0)
    families = scraped(core, 5.0)
    assert all(family.documentation and name.startswith("ringlab_") for name, family in families.items())
    assert value(families["ringlab_port_transmit_bytes"], switch="leaf1", port="3", peer="spine1:1") == 505
    assert value(families["ringlab_port_utilisation_ratio"], link="leaf1-spine1") == 0.5
    assert value(families["ringlab_job_bytes"], job_name='a"b', policy="pinned") == 99
    assert value(families["ringlab_switch_detour_packets"], switch="leaf1") == 4
    assert value(families["ringlab_counters_age_seconds"], switch="leaf1") == 3.0
    assert value(families["ringlab_link_up"], link="leaf1-spine1") == 1
    assert value(families["ringlab_ready"]) == 0
    assert families["ringlab_controller_info"].samples[0].labels["framework"] == "ryu 4.34"


def test_ports_are_those_of_the_wires_and_predictions_those_of_the_fabric():
    cores = Controller(FABRIC), Controller(FABRIC, scale=4)
    for core in cores:
        core.handle(JobPlanned(plan(FABRIC, JobRequest("a", "pinned", DEMANDS), 7, 1)), 0.0)
        for now in (1, 2):
            core.handle(CountersRead(1, 1, [PortCounters(3, tx_bytes=now * 125)]), now)
    one, scaled = map(scraped, cores)
    for name, factor in [("port_speed_bytes", 1 / 4), ("port_utilisation_ratio", 4), ("job_objective_seconds", 1)]:
        assert value(scaled[f"ringlab_{name}"]) == factor * value(one[f"ringlab_{name}"]) > 0


def test_without_answers_there_are_no_counters():
    families = scraped(Controller(FABRIC))
    assert families["ringlab_port_transmit_bytes"].samples == []
    assert families["ringlab_epoch"].samples[0].value == 0
