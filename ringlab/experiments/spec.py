"""A spec: everything an experiment is, read from a YAML file and checked before anything is built.

Theory of operation. The text becomes plain data that knows its lines (``yaml_lines``); pydantic checks the shape
(``spec_file``); then every value is given its meaning here, by the parts that own it: the fabric by ``topologies``, the
algorithm by ``collectives``, the policies by ``controller``. Errors are collected, so that a user hears of all of a
stage's at once; each is one line, ``FILE:LINE: field: what; what to do``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from pathlib import Path
from typing import Any

from collectives import algorithms, metrics
from collectives.choice import AUTO
from collectives.operations import Operation
from collectives.peers.libraries import EMULATED, LIBRARIES
from collectives.perf.kinds import kind_of
from collectives.schedule import ScheduleError
from emulation.faults import Fault
from ringlab.errors import UsageError
from ringlab.experiments import fabrics, libraries, placement
from ringlab.experiments.arms import OURS, Arm, CheckLibrary, read_arms, read_pairs
from ringlab.experiments.baselines import check_line_rate, wrong_name
from ringlab.experiments.faults_spec import Scene, read_faults
from ringlab.experiments.neighbours import Neighbour, read_neighbours
from ringlab.experiments.spec_file import MAX_RANKS, MAX_SIZES, RUN, SpecError, SpecFile, Sweep, meant, meant_by
from ringlab.text_files import read_text
from topologies.fabric import Fabric
from topologies.spelling import did_you_mean
from topologies.yaml_lines import Document, FieldPath, Problems

__all__ = ["Arm", "Spec", "SpecError", "Transport", "from_data", "loads", "read", "with_changes"]


@dataclass(frozen=True, slots=True)
class Transport:
    """How the ranks' bytes travel; ``queue_bytes`` None: chosen from each link's rate.

    ``delays``: "auto" (by the kernel, if it can), "relay" (by a process, at a cost), "none".
    """

    mtu: int
    congestion: str
    queue_bytes: int | None
    delays: str = "auto"


@dataclass(frozen=True, slots=True)
class Spec:
    """An experiment. ``placement[rank]`` is the rank's host; ``sizes`` in bytes, rising as they were given.

    ``scale`` is the time dilation, None where the machine is to choose. ``baseline`` is a published name or a file,
    ``baseline_line_rate_GBps`` the line rate of a file's system (the file does not say).
    ``compare`` holds pairs of groups or arms. ``data`` is the spec as it was written. ``faults`` come in every turn,
    ``neighbours`` run at the same time.
    """

    name: str
    fabric: Fabric
    placement: tuple[str, ...]
    collective: str
    algorithm: str
    channels: int
    dtype: str
    sizes: tuple[int, ...]
    arms: tuple[Arm, ...]
    repeats: int
    iterations: int
    min_time_s: float
    warmup: int
    timeout_s: float
    scale: float | None
    baseline: str | None
    baseline_line_rate_GBps: float | None  # noqa: N815 - GBps and Gbps differ
    transport: Transport
    compare: tuple[tuple[str, str], ...]
    data: Mapping[str, Any]
    faults: tuple[Fault, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()


def read(path: Path) -> tuple[Spec, str]:
    """The spec in a file, and the file's text. UsageError (a SpecError where the text is wrong) says why not."""
    text = read_text(path, "spec")
    return loads(text, str(path), path.parent), text


def loads(text: str, where: str = "spec", folder: Path = Path()) -> Spec:
    """The spec in ``text``; files that it names are sought from ``folder``. Raises SpecError."""
    return meant(text, where, folder, RUN, _meaning)


def from_data(data: object, where: str = "spec") -> Spec:
    """The spec that plain JSON ``data`` are: no text, so errors name no line. Raises as ``loads``."""
    return meant_by(Document(where, data), Path(), RUN, _meaning)


def with_changes(
    spec: Spec,
    *,
    scale: float | None = None,
    repeats: int | None = None,
    baseline: str | None = None,
    line_rate_GBps: float | None = None,  # noqa: N803 - GBps and Gbps differ
) -> Spec:
    """``spec`` with what the command line says instead; None changes nothing. UsageError for what can't be."""
    check_scale(scale)
    if repeats is not None and repeats < 1:
        raise UsageError(f"--repeats {repeats}: at least 1")
    if baseline is not None and not Path(baseline).is_file() and (wrong := wrong_name(baseline)):
        raise UsageError(f"--baseline: {wrong}")
    check_line_rate(line_rate_GBps)
    changes = {"scale": scale, "repeats": repeats, "baseline": baseline, "baseline_line_rate_GBps": line_rate_GBps}
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    return replace(spec, data={**spec.data, **given}, **given)


def check_scale(scale: float | None) -> None:
    """UsageError where ``--scale`` is no time dilation."""
    if scale is not None and not 1 <= scale < 1e9:
        raise UsageError(f"--scale {scale:g}: a time dilation is a number from 1")


def _meaning(written: SpecFile, document: Document, folder: Path, problems: Problems) -> Spec:
    arms = read_arms(written.arms, folder, problems, written.library, _library_check(written))
    pairs = read_pairs(written.compare, arms, problems) if arms else ()
    sizes = _sizes(written, problems)
    baseline, line_rate = _baseline(written.baseline, folder, problems)
    fabric = fabrics.of_spec(written.fabric, document, folder, problems)
    hosts = _placement(written, fabric, problems) if fabric else ()
    if hosts:
        _check_algorithm(written, len(hosts), problems)
    _check_foreign(written, arms, len(hosts), problems)
    faults = _faults(written, fabric, hosts, len(sizes), problems) if fabric and hosts else ()
    neighbours = _neighbours(written, fabric, hosts, problems) if fabric and hosts else ()
    problems.raise_any()
    assert fabric is not None
    return Spec(
        name=written.name,
        fabric=fabric,
        placement=hosts,
        collective=written.collective,
        algorithm=written.algorithm,
        channels=written.channels,
        dtype=written.dtype,
        sizes=sizes,
        arms=arms,
        repeats=written.repeats,
        iterations=written.iterations,
        min_time_s=written.min_time_s,
        warmup=written.warmup,
        timeout_s=written.timeout_s,
        scale=written.scale,
        baseline=baseline,
        baseline_line_rate_GBps=line_rate,
        transport=Transport(**written.transport.model_dump(exclude={"queue"}), queue_bytes=written.transport.queue),
        compare=pairs,
        data=document.data,
        faults=faults,
        neighbours=neighbours,
    )


def _library_check(written: SpecFile) -> CheckLibrary:
    """Is there such a library for emulated hosts, and can it do the spec's collective?"""

    def check(name: str) -> None:
        if name not in EMULATED:
            raise ValueError(f"no library {name!r}; {did_you_mean(str(name), EMULATED)}")
        operation = Operation(kind_of(written.collective).operation)
        LIBRARIES[name].check(operation, [written.dtype], ["sum"])

    return check


def _check_foreign(written: SpecFile, arms: Sequence[Arm], ranks: int, problems: Problems) -> None:
    """What can't be beside a library that is not ours."""
    foreign = next((arm for arm in arms if arm.library != OURS), None)
    if foreign is None:
        return
    if ranks > libraries.MAX_RANKS:
        what = f"{ranks} ranks are too many for {foreign.library}; write ranks: {libraries.MAX_RANKS} or fewer"
        problems.add(("arms",), what)
    if written.faults:
        problems.add(("faults",), f"can't be beside {foreign.library}, whose steps nobody sees; leave one of them out")


def _placement(written: SpecFile, fabric: Fabric, problems: Problems) -> tuple[str, ...]:
    """The host of every rank; empty, and problems added, where it can't be."""
    if isinstance(written.placement, list):
        hosts = _listed_hosts(written, fabric, problems)
    else:
        hosts = placement.by_name(written.placement, fabric, written.ranks, ("placement",), problems)
        if not hosts:
            return ()
    if len(hosts) > MAX_RANKS:
        problems.add(("fabric",), f"{len(hosts)} ranks are too many; write ranks: {MAX_RANKS} or fewer")
        return ()
    if hosts and len(set(hosts)) < 2:
        problems.add(("placement",), "puts all ranks on one host; use two or more, or nothing crosses the fabric")
        return ()
    return hosts


def _faults(
    written: SpecFile, fabric: Fabric, hosts: tuple[str, ...], sizes: int, problems: Problems
) -> tuple[Fault, ...]:
    if not written.faults or problems.errors:  # steps are those of a schedule that can be
        return ()
    steps = _num_steps(written.algorithm, len(hosts), written.channels)
    return read_faults(written.faults, Scene(fabric, hosts, steps, sizes * written.iterations), problems)


def _neighbours(written: SpecFile, fabric: Fabric, hosts: tuple[str, ...], problems: Problems) -> tuple[Neighbour, ...]:
    def check(name: str, ranks: int, channels: int, path: FieldPath) -> None:
        if name == AUTO:
            problems.add(path, "auto is chosen for one job alone; name the neighbour's algorithm")
            return
        check_algorithm(name, ranks, channels, problems, path=path)

    return read_neighbours(written.neighbours, fabric, hosts, written.algorithm, check, problems)


def _listed_hosts(written: SpecFile, fabric: Fabric, problems: Problems) -> tuple[str, ...]:
    hosts, known = tuple(written.placement), set(fabric.hosts)
    before = len(problems.errors)
    for index, host in enumerate(hosts):
        if host not in known:
            problems.add(("placement", index), f"no host {host!r} in this fabric; {_hosts_hint(host, fabric)}")
    if written.ranks is not None and len(hosts) != written.ranks:
        problems.add(("placement",), f"places {len(hosts)} ranks, but ranks is {written.ranks}; name a host a rank")
    return hosts if len(problems.errors) == before else ()


def _hosts_hint(host: str, fabric: Fabric) -> str:
    hint = did_you_mean(host, fabric.hosts)
    return hint if hint.startswith("did") else f"its hosts are {fabric.hosts[0]} to {fabric.hosts[-1]}"


def _check_algorithm(written: SpecFile, ranks: int, problems: Problems) -> None:
    if written.algorithm == AUTO:
        if written.faults:
            problems.add(("algorithm",), "auto's steps are not known before a fault needs them; name an algorithm")
        return
    check_algorithm(written.algorithm, ranks, written.channels, problems, beside=(AUTO,))


def check_algorithm(
    name: str, ranks: int, channels: int, problems: Problems, beside: Sequence[str] = (), path: FieldPath = ()
) -> None:
    """Problems are added, below ``path``, where there is no such all_reduce. ``beside``: further words for it."""
    if name.partition(":")[0] not in algorithms.names():
        what = f"no algorithm {name!r}; {did_you_mean(name, (*algorithms.names(), *beside))}"
        problems.add((*path, "algorithm"), what)
        return
    try:
        _num_steps(name, ranks, 1)
    except ScheduleError as error:
        problems.add((*path, "algorithm"), str(error))
        return
    if channels == 1:
        return
    try:
        _num_steps(name, ranks, channels)
    except ScheduleError as error:
        problems.add((*path, "channels"), str(error))


@lru_cache(256)
def _num_steps(name: str, ranks: int, channels: int) -> int:
    """Of an all_reduce, which is built for it: remembered, as a sweep asks ten thousand times. Raises ScheduleError."""
    return algorithms.build(name, ranks, channels).num_steps


def _sizes(written: SpecFile, problems: Problems) -> tuple[int, ...]:
    """The sizes in bytes, each a multiple of the type's size; those of a sweep are rounded down to one."""
    itemsize = metrics.DTYPES[written.dtype].itemsize
    if isinstance(written.sizes, Sweep):
        return tuple(_swept(written.sizes, itemsize, problems))
    for index, size in enumerate(written.sizes):
        if size % itemsize:
            what = f"{size} bytes are no whole number of {written.dtype} elements; write a multiple of {itemsize}"
            problems.add(("sizes", index), what)
        if size in written.sizes[:index]:
            problems.add(("sizes", index), f"{metrics.format_size(size)} is there twice; keep one")
    return tuple(written.sizes)


def _swept(sweep: Sweep, itemsize: int, problems: Problems) -> Iterator[int]:
    if sweep.min > sweep.max:
        problems.add(("sizes", "min"), f"{sweep.min} is above max, {sweep.max}; swap them")
        return
    if sweep.min % itemsize:
        what = f"{sweep.min} bytes are no whole number of elements; write a multiple of {itemsize}"
        problems.add(("sizes", "min"), what)
    if log(sweep.max / sweep.min) > MAX_SIZES * log(sweep.factor):
        problems.add(("sizes", "factor"), f"{sweep.factor:g} makes more than {MAX_SIZES} sizes; give a larger one")
        return
    size, last = float(sweep.min), 0
    while size <= sweep.max:
        rounded = int(size) // itemsize * itemsize
        if rounded > last:
            yield rounded
        last, size = rounded, size * sweep.factor


def _baseline(wanted: Any, folder: Path, problems: Problems) -> tuple[str | None, float | None]:
    """A published name, or the path of a file of nccl-tests output and its system's line rate in GB/s, if given."""
    if wanted is None:
        return None, None
    if isinstance(wanted, str):
        if wrong := wrong_name(wanted):
            problems.add(("baseline",), wrong)
        return wanted, None
    if not isinstance(wanted, dict) or not isinstance(wanted.get("file"), str) or wanted.keys() - {"file", "line_rate"}:
        form = "{file: PATH, line_rate: 50}, line_rate in GB/s"
        problems.add(("baseline",), f"write either a published name (ringlab baseline list) or {form}")
        return None, None
    path, line_rate = folder / wanted["file"], wanted.get("line_rate")
    if not path.is_file():
        problems.add(("baseline", "file"), f"{path}: no such file; name a file of nccl-tests output")
    if line_rate is not None and not (type(line_rate) in {int, float} and 0 < line_rate < float("inf")):
        problems.add(("baseline", "line_rate"), f"{line_rate!r} is no line rate; write GB/s, as in 50")
        return str(path), None
    return str(path), line_rate
