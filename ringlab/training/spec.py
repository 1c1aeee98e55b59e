"""A training spec: what ``ringlab train`` does, read from a YAML file and checked before anything is built.

As with the spec of ``ringlab run``: errors are collected, each one line, ``FILE:LINE: field: what; what to do``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from collectives import algorithms
from collectives.job import demands
from collectives.schedule import Schedule
from emulation.faults import Fault
from ringlab.errors import UsageError
from ringlab.experiments import fabrics
from ringlab.experiments.arms import Arm, read_arms
from ringlab.experiments.faults_spec import Scene, read_faults
from ringlab.experiments.spec import Transport, check_algorithm, check_scale
from ringlab.experiments.spec_file import meant
from ringlab.text_files import read_text
from ringlab.training.places import Place, read_places
from ringlab.training.spec_file import MAX_RANKS, TRAINING, TrainFile
from topologies.fabric import Fabric
from topologies.traffic import Demand
from topologies.yaml_lines import Document, Problems

FLOAT_BYTES = 4
"""Parameters and gradients are float32."""


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """A training. ``layers`` are the model's widths; ``warmup`` steps of each training are left out of its times.

    ``scale`` is the time dilation of the fabric, None where the machine is to choose. ``data`` is the spec as written.
    """

    name: str
    fabric: Fabric
    placements: tuple[Place, ...]
    backends: tuple[str, ...]
    algorithm: str
    channels: int
    arms: tuple[Arm, ...]
    layers: tuple[int, ...]
    batch: int
    bucket_mb: tuple[float, ...]
    steps: int
    warmup: int
    learning_rate: float
    seed: int
    repeats: int
    timeout_s: float
    loss_tolerance: float
    scale: float | None
    transport: Transport
    faults: tuple[Fault, ...]
    data: Mapping[str, Any]

    @property
    def ranks(self) -> int:
        return len(self.placements[0].hosts)

    @property
    def parameters(self) -> int:
        """Weights and biases of all layers."""
        return sum(width * following + following for width, following in pairwise(self.layers))

    @property
    def schedule(self) -> Schedule:
        return algorithms.build(self.algorithm, self.ranks, self.channels)

    def demands(self, place: Place) -> list[Demand]:
        """What one step asks of the fabric when its gradients go as a single bucket, over ringlab."""
        return demands(self.schedule, place.hosts, self.parameters, FLOAT_BYTES)


def read(path: Path) -> tuple[TrainSpec, str]:
    """The spec in a file, and the file's text. UsageError (a SpecError where the text is wrong) says why not."""
    text = read_text(path, "training spec")
    return loads(text, str(path), path.parent), text


def loads(text: str, where: str = "spec", folder: Path = Path()) -> TrainSpec:
    """The spec in ``text``; files that it names are sought from ``folder``. Raises SpecError."""
    return meant(text, where, folder, TRAINING, _meaning)


def with_changes(spec: TrainSpec, *, scale: float | None, repeats: int | None, steps: int | None) -> TrainSpec:
    """``spec`` with what the command line says instead; None changes nothing. UsageError for what can't be."""
    check_scale(scale)
    if steps is not None and steps <= spec.warmup:
        raise UsageError(f"--steps {steps}: more than warmup, {spec.warmup}; those are not timed")
    changes = {"scale": scale, "repeats": repeats, "steps": steps}
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    return replace(spec, data={**spec.data, **given}, **given)


def _meaning(written: TrainFile, document: Document, folder: Path, problems: Problems) -> TrainSpec:
    arms = read_arms(written.arms, folder, problems)
    fabric = fabrics.of_spec(written.fabric, document, folder, problems)
    places = read_places(written.placements, written.ranks, fabric, problems) if fabric else ()
    _check_lists(written, problems)
    if places and _check_ranks(len(places[0].hosts), problems):
        check_algorithm(written.algorithm, len(places[0].hosts), written.channels, problems)
    faults = _faults(written, fabric, places, problems) if fabric and places else ()
    problems.raise_any()
    assert fabric is not None
    transport = Transport(**written.transport.model_dump(exclude={"queue"}), queue_bytes=written.transport.queue)
    same = ("name", "algorithm", "channels", "batch", "steps", "warmup", "learning_rate", "seed", "repeats")
    return TrainSpec(
        **{name: getattr(written, name) for name in (*same, "timeout_s", "loss_tolerance", "scale")},
        fabric=fabric,
        placements=places,
        backends=tuple(written.backends),
        arms=arms,
        layers=tuple(written.layers),
        bucket_mb=tuple(written.bucket_mb),
        transport=transport,
        faults=faults,
        data=document.data,
    )


def _check_lists(written: TrainFile, problems: Problems) -> None:
    lists: tuple[tuple[str, Sequence[object]], ...] = (
        ("backends", written.backends),
        ("bucket_mb", written.bucket_mb),
    )
    for name, values in lists:
        for index, value in enumerate(values):
            if value in values[:index]:
                problems.add((name, index), f"{value} is there twice; keep one")
    for index, place in enumerate(written.placements):
        if isinstance(place, list) and written.ranks not in {None, len(place)}:
            what = f"places {len(place)} ranks, but ranks is {written.ranks}; name a host a rank"
            problems.add(("placements", index), what)
    if written.warmup >= written.steps:
        problems.add(("warmup",), f"{written.warmup} of {written.steps} steps leaves none to time; write fewer")


def _check_ranks(ranks: int, problems: Problems) -> bool:
    if ranks > MAX_RANKS:
        problems.add(("fabric",), f"{ranks} ranks are too many; write ranks: {MAX_RANKS} or fewer")
    elif ranks < 2:
        problems.add(("fabric",), "has one host; a training needs two or more")
    return 2 <= ranks <= MAX_RANKS


def _faults(written: TrainFile, fabric: Fabric, places: Sequence[Place], problems: Problems) -> tuple[Fault, ...]:
    """Of a fault, ``step`` is a step of the training and ``operation`` the place of its bucket size, from 1."""
    hosts = [host for host in places[0].hosts if all(host in place.hosts for place in places)]
    return read_faults(written.faults, Scene(fabric, hosts, written.steps, len(written.bucket_mb)), problems)
