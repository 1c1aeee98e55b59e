"""``ringlab plan``: when communication dominates, and which fabric, placement, algorithm to pay for."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.text_files import check_plot, write_bytes

if TYPE_CHECKING:
    from ringlab.planning.report import Plan
    from ringlab.planning.workload import Workload

PLACEMENTS = ("any", "contiguous", "interleaved")
TOKENS = 2048
"""Of a task whose time is not given: forward and backward of a model of ``--size``, 2 bytes a parameter."""


@click.command(
    cls=Command,
    examples=[
        "ringlab plan -n 1024 --size 14G --rate 400G --task-time 200ms --tasks 8",
        "ringlab plan -n 64 --size 1G --task-time 100ms --switches 24 --ports 16",
        "ringlab plan -n 64 --size 1G --task-time 100ms --budget 400 --placement interleaved",
        "ringlab plan --fabric edge-sites:leaves=2,spines=2,hosts=4,sites=2,site_hosts=4 --size 64M --task-time 1s",
        "ringlab plan -n 4096 --size 14G --task-time 1s --plot efficiency.svg --json -",
    ],
)
@click.option("-n", "--devices", type=click.IntRange(min=2, max=2**24), help="Devices, one a host; 64 unless given.")
@click.option("--tasks", type=float, default=1.0, show_default=True, help="Tasks of each device between all_reduces.")
@click.option("--total-tasks", type=float, help="Tasks of all devices together, instead.")
@click.option("--task-time", metavar="TIME", help="Of one task, like 50ms; else as --device takes for 2048 tokens.")
@click.option("--device", default="a100", show_default=True, help="What computes, where no task time is given.")
@click.option("--size", default="1G", show_default=True, help="Bytes of the model, which an all_reduce sums.")
@click.option("--rate", default="100G", show_default=True, help="Of a link, b/s.")
@click.option("--latency", default="5.5us", show_default=True, help="Of a step; links of a fabric add theirs.")
@click.option("--overlap", type=click.FloatRange(0, 1), default=0.0, help="Share of computation that hides bytes.")
@click.option("--switches", type=click.IntRange(min=1), help="Budget: switches at most.")
@click.option("--ports", type=click.IntRange(min=2), help="Budget: ports of a switch at most.")
@click.option("--budget", type=click.FloatRange(min=0), help="Budget: cost at most, in the unit of the prices.")
@click.option("--switch-price", type=click.FloatRange(min=0), default=10.0, show_default=True)
@click.option("--port-price", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Of a port in use.")
@click.option("--cable-price", type=click.FloatRange(min=0), default=0.5, show_default=True)
@click.option("--top", type=click.IntRange(min=1, max=100), default=10, show_default=True, help="Fabrics to show.")
@click.option("--fabric", help="Compare algorithms and placements on this fabric instead.")
@click.option("--algorithm", "algorithms", multiple=True, help="With --fabric: only these, like hierarchical:4.")
@click.option("--placement", type=click.Choice(PLACEMENTS), default="any", show_default=True, help="Within a budget.")
@click.option("--policy", default="pinned", show_default=True, help="How flows are routed.")
@click.option("--plot", "plot_target", metavar="FILE", help="Draw E against n to FILE, .svg or .png.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, json_target: str | None, plot_target: str | None, **given: Any) -> None:
    """Tell the efficiency of n devices that compute and then sum a model, and where communication dominates.

    Efficiency E is computation over computation plus exposed communication. With a budget (--switches, --ports,
    --budget): the fabrics of the catalog that it buys for n hosts, best first. With --fabric: which algorithm and
    placement are best there. Times on fabrics are simulated.
    """
    from ringlab.experiments.table import console  # noqa: PLC0415 - only where it is used
    from ringlab.planning import report  # noqa: PLC0415 - likewise

    if plot_target:
        check_plot(plot_target)
    if given["fabric"] and ctx.get_parameter_source("rate") is ParameterSource.COMMANDLINE:
        raise UsageError("--rate: a fabric has its own; leave it out, and write rate= in a short form")
    plan = _plan(given)
    if json_target:
        write_json(json_target, report.to_data(plan))
    if json_target != STDOUT:
        console().print(report.render(plan))
    if plot_target:
        write_bytes(plot_target, report.plot(plan, plot_target))


def _plan(given: dict[str, Any]) -> Plan:
    budgeted = any(given[name] is not None for name in ("switches", "ports", "budget"))
    if given["fabric"] and budgeted:
        raise UsageError("--fabric: is built already; leave out --switches, --ports and --budget, or --fabric")
    if given["algorithms"] and not given["fabric"]:
        raise UsageError("--algorithm: needs --fabric; within a budget all that fit are tried")
    for option in ("overlap", "budget", "switch_price", "port_price", "cable_price"):
        if given[option] is not None and not isfinite(given[option]):
            raise UsageError(f"--{option.replace('_', '-')} {given[option]:g}: is no finite number; leave it out")
    _check_policy(given["policy"])
    work = _workload(given)
    if given["fabric"]:
        return _on_fabric(work, given)
    return _within_budget(work, given) if budgeted else _closed(work, given)


def _closed(work: Workload, given: dict[str, Any]) -> Plan:
    from ringlab.planning.report import Plan  # noqa: PLC0415 - only where it is used

    return Plan(work, given["devices"] or 64)


def _on_fabric(work: Workload, given: dict[str, Any]) -> Plan:
    from controller.routing import RoutingError  # noqa: PLC0415 - only where it is used
    from ringlab.experiments import fabrics  # noqa: PLC0415 - likewise
    from ringlab.planning.contest import contest  # noqa: PLC0415 - likewise
    from ringlab.planning.report import Plan  # noqa: PLC0415 - likewise
    from ringlab.talk import say  # noqa: PLC0415 - likewise
    from topologies.measures import ring_line_rate_bps  # noqa: PLC0415 - likewise

    fabric = fabrics.read(given["fabric"])
    work = replace(work, rate_bps=float(ring_line_rate_bps(fabric)))
    devices = given["devices"] or len(fabric.hosts)
    if not 2 <= devices <= len(fabric.hosts):
        raise UsageError(f"--devices {devices}: {fabric.name} has {len(fabric.hosts)} hosts; from 2 to as many")
    try:
        entries = contest(fabric, devices, int(work.nbytes), given["policy"], work.step_s, given["algorithms"], say)
    except RoutingError as error:
        raise UsageError(f"{fabric.name}: {error}") from None
    return Plan(work, devices, fabric.name, tuple(entries))


def _within_budget(work: Workload, given: dict[str, Any]) -> Plan:
    from ringlab.planning.candidates import MOST_HOSTS, Budget, Prices  # noqa: PLC0415 - only where it is used
    from ringlab.planning.ranking import rank  # noqa: PLC0415 - likewise
    from ringlab.planning.report import Plan  # noqa: PLC0415 - likewise
    from ringlab.talk import say  # noqa: PLC0415 - likewise

    devices = given["devices"] or 64
    if devices > MOST_HOSTS:
        raise UsageError(f"--devices {devices}: within a budget at most {MOST_HOSTS}; every fabric is simulated")
    prices = Prices(given["switch_price"], given["port_price"], given["cable_price"])
    budget = Budget(given["switches"], given["ports"], given["budget"], prices)
    placements = PLACEMENTS[1:] if given["placement"] == "any" else (given["placement"],)
    ranking = rank(work, devices, budget, given["rate"], given["policy"], given["top"], placements, say)
    return Plan(work, devices, ranking=ranking)


def _workload(given: dict[str, Any]) -> Workload:
    from collectives.metrics import parse_size  # noqa: PLC0415 - only where it is used
    from ringlab.planning.workload import Workload  # noqa: PLC0415 - likewise
    from topologies.rates import parse_latency, parse_rate  # noqa: PLC0415 - likewise

    nbytes = _parsed("--size", parse_size, given["size"])
    if not 0 < nbytes < 2**50:
        raise UsageError(f"--size {given['size']}: above 0, below 1048576G")
    tasks = given["tasks"] if given["total_tasks"] is None else given["total_tasks"]
    if not 0 < tasks < 1e15:
        raise UsageError(f"--{'tasks' if given['total_tasks'] is None else 'total-tasks'} {tasks:g}: above 0")
    task_s = _parsed("--task-time", parse_latency, given["task_time"]) if given["task_time"] else _task_s(nbytes, given)
    if task_s <= 0:
        raise UsageError(f"--task-time {given['task_time']}: above 0, like 50ms")
    return Workload(
        tasks,
        task_s,
        float(nbytes),
        float(_parsed("--rate", parse_rate, given["rate"])),
        _parsed("--latency", parse_latency, given["latency"]),
        shared=given["total_tasks"] is not None,
        overlap=given["overlap"],
    )


def _task_s(nbytes: int, given: dict[str, Any]) -> float:
    from simulation.training.device import DeviceError, device  # noqa: PLC0415 - only where it is used
    from simulation.training.memory import PARAMETER_BYTES  # noqa: PLC0415 - likewise

    try:
        return device(given["device"]).matmul_s(6 * TOKENS * nbytes / PARAMETER_BYTES)
    except DeviceError as error:
        raise UsageError(f"--device: {error}") from None


def _check_policy(policy: str) -> None:
    from controller import routing  # noqa: PLC0415 - only where it is used

    try:
        routing.policy(policy)
    except routing.RoutingError as error:
        raise UsageError(f"--policy: {error}") from None


def _parsed(option: str, parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
