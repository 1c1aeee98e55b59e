"""A simulated training's spec: what it means, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ringlab.experiments import fabrics
from ringlab.experiments.arms import Arm, read_arms
from ringlab.experiments.spec_file import meant
from ringlab.text_files import read_text
from ringlab.training.places import Place, read_places
from ringlab.training.simulated_file import MAX_DEVICES, SIMULATED_TRAINING, ModelFile, SimulatedTrainFile
from simulation.training.device import DEVICES, Device
from simulation.training.model import ModelError, Transformer, preset
from simulation.training.parallel import Parallel
from topologies.fabric import Fabric
from topologies.yaml_lines import Document, Problems


@dataclass(frozen=True, slots=True)
class SimulatedSpec:
    """``placements`` name the host of every ``devices_per_host`` ranks; ``batch`` is of all ranks together."""

    name: str
    model: Transformer
    device: Device
    fabric: Fabric
    devices_per_host: int
    placements: tuple[Place, ...]
    arms: tuple[Arm, ...]
    parallel: Parallel
    batch: int
    bucket_mb: tuple[float, ...]
    data: Mapping[str, Any]


def read(path: Path) -> tuple[SimulatedSpec, str]:
    """The spec in a file, and the file's text. UsageError (a SpecError where the text is wrong) says why not."""
    text = read_text(path, "training spec")
    return loads(text, str(path), path.parent), text


def loads(text: str, where: str = "spec", folder: Path = Path()) -> SimulatedSpec:
    """The spec in ``text``; files that it names are sought from ``folder``. Raises SpecError."""
    return meant(text, where, folder, SIMULATED_TRAINING, _meaning)


def _meaning(written: SimulatedTrainFile, document: Document, folder: Path, problems: Problems) -> SimulatedSpec:
    arms = read_arms(written.arms, folder, problems)
    fabric = fabrics.of_spec(written.fabric, document, folder, problems)
    model = _model(written, problems)
    degrees = {name: getattr(written.parallel, name) for name in type(written.parallel).model_fields}
    parallel = Parallel(**{**degrees, "order": tuple(written.parallel.order)})
    if model:
        for field, what in parallel.problems(model, written.batch):
            problems.add((field,) if field == "batch" else ("parallel", field), what)
    places = _places(written, parallel, fabric, problems) if fabric else ()
    for index, size in enumerate(written.bucket_mb):
        if size in written.bucket_mb[:index]:
            problems.add(("bucket_mb", index), f"{size:g} is there twice; keep one")
    problems.raise_any()
    assert fabric is not None
    assert model is not None
    return SimulatedSpec(
        written.name,
        model,
        DEVICES[written.device],
        fabric,
        written.devices_per_host,
        places,
        arms,
        parallel,
        written.batch,
        tuple(written.bucket_mb),
        document.data,
    )


def _model(written: SimulatedTrainFile, problems: Problems) -> Transformer | None:
    try:
        given = written.model
        found = _described(given, written.name) if isinstance(given, ModelFile) else preset(given)
    except ModelError as error:
        problems.add(("model",), str(error))
        return None
    return found if written.sequence is None else replace(found, sequence=written.sequence)


def _described(given: ModelFile, name: str) -> Transformer:
    fields = given.model_dump(exclude={"kv_heads", "ffn"})
    return Transformer(name, kv_heads=given.kv_heads or given.heads, ffn=given.ffn or 4 * given.hidden, **fields)


def _places(written: SimulatedTrainFile, parallel: Parallel, fabric: Fabric, problems: Problems) -> tuple[Place, ...]:
    """Hosts for all devices, full ones."""
    devices, each = parallel.devices, written.devices_per_host
    if devices > MAX_DEVICES:
        problems.add(("parallel",), f"{devices} devices are too many; at most {MAX_DEVICES}")
    elif devices % each:
        problems.add(("devices_per_host",), f"{each} does not divide {devices} devices (data x tensor x pipeline)")
    elif devices // each > len(fabric.hosts):
        needed = f"{devices} devices (data x tensor x pipeline) need {devices // each} hosts of {each}"
        problems.add(("fabric",), f"has {len(fabric.hosts)} hosts; {needed}: write a larger fabric or smaller degrees")
    elif devices // each < 2:
        return (Place("one host", fabric.hosts[:1]),)
    else:
        places = read_places(written.placements, devices // each, fabric, problems)
        if places and len(places[0].hosts) != devices // each:
            problems.add(("placements",), f"they name {len(places[0].hosts)} hosts; {devices // each} are needed")
        return places
    return ()
