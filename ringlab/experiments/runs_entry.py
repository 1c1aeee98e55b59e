"""What a folder in ``runs/`` is, in a line: its kind, name, time, backend, verdict. Read from its own files alone.

A *run* and a *training* have ``result.json``, an *ab* has ``ab.json``, a *sweep* has ``results.jsonl``. A folder whose
file can't be read is *broken*, and says why; a folder without such a file is none of ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ringlab.experiments import store

SWEEP_RECORDS, SWEEP_FILE = "results.jsonl", "sweep.yaml"
MAIN_FILES = (store.AB, store.RESULT, SWEEP_RECORDS)

BROKEN = "broken"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """``id`` is the folder's name; ``own_id`` is what its file says (None: nothing), and may differ if it was moved.

    ``verdicts``: of a run its certificate's and whether it failed, of an ab its comparisons'.
    """

    id: str
    own_id: str | None
    kind: str
    name: str
    created: str
    backend: str
    verdicts: tuple[str, ...]
    what: str


def main_file(folder: Path) -> Path | None:
    """The file that makes it a run; None if it is none."""
    return next((folder / name for name in MAIN_FILES if (folder / name).is_file()), None)


def read(folder: Path, file: Path) -> Entry:
    """The entry of ``folder``, whose main file is ``file``. Never raises for what is in it."""
    try:
        if file.name == SWEEP_RECORDS:
            return _sweep(folder, file)
        data = json.loads(file.read_text(encoding="utf-8"))
        return _ab(folder.name, data) if file.name == store.AB else _result(folder.name, data)
    except OSError as error:
        return broken(folder.name, f"{file.name} can't be read: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return broken(folder.name, f"{file.name} is not what a run writes")


def broken(name: str, why: str) -> Entry:
    return Entry(name, None, BROKEN, "", "", "", (), why)


def _result(name: str, data: Mapping[str, Any]) -> Entry:
    if "arms" not in data or "certificate" not in data or "collective" not in data:
        return _training(name, data)
    groups = dict.fromkeys(arm["group"] for arm in data["arms"])
    verdicts = [str(data["certificate"]["verdict"]), *([FAILED] if data.get("failure") else [])]
    backend = str(data["fingerprint"].get("backend", "emulated"))
    what = f"{data['algorithm']} {data['collective']}, {data['ranks']} ranks: {', '.join(groups)}"
    return Entry(name, str(data["id"]), "run", str(data["name"]), str(data["created"]), backend, tuple(verdicts), what)


def _training(name: str, data: Mapping[str, Any]) -> Entry:
    """Of a model by DDP, or simulated."""
    model = data["model"]["name"] if "model" in data and "name" in data["model"] else data["spec"].get("model", "")
    backend = str(data.get("backend", "emulated"))
    certificate = data.get("certificate")
    verdicts = [str(certificate["verdict"])] if certificate else []
    verdicts += [FAILED] if data.get("failure") else []
    own, title, created = (str(data[key]) for key in ("id", "name", "created"))
    what = f"training {model}" if isinstance(model, str) and model else "training"
    return Entry(name, own, "training", title, created, backend, tuple(verdicts), what)


def _ab(name: str, data: Mapping[str, Any]) -> Entry:
    found = data["found"]
    without = "a/a differs" if (data["aa"] or {}).get("looks") else "unfit"
    verdicts = Counter(one["verdict"] for one in found["comparisons"]) if found else Counter([without])
    backend = "+".join(sorted(set(data["backends"].values())))
    blocks = f"{sum(block['counted'] for block in found['blocks'])} blocks" if found else "no block"
    what = f"{' | '.join(data['specs'])}, {blocks}"
    return Entry(
        name, str(data["id"]), "ab", str(data["name"]), str(data["created"]), backend, tuple(sorted(verdicts)), what
    )


def _sweep(folder: Path, file: Path) -> Entry:
    """Its time is that of its sweep file; its backend is in each record."""
    written = folder / SWEEP_FILE
    created = datetime.fromtimestamp((written if written.is_file() else file).stat().st_mtime, UTC)
    count, bad, backend = 0, 0, ""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):  # the last may be torn
                record = json.loads(line)
                count, bad = count + 1, bad + (not record["ok"])
                backend = backend or str(record["backend"])
    verdicts = (FAILED,) if bad else ()
    what = f"{count} scenarios{f', {bad} failed' if bad else ''}"
    name = folder.name.removeprefix("sweep-")
    return Entry(folder.name, None, "sweep", name, created.isoformat(timespec="seconds"), backend, verdicts, what)
