"""Which backend a training spec is for: one error in plain words, where it is given to the other."""

from __future__ import annotations

from ringlab.experiments.spec import SpecError
from topologies.yaml_lines import DocumentError, read

EMULATED, SIMULATED = "emulated", "simulated"
BACKENDS = (EMULATED, SIMULATED)

_TELLS = {EMULATED: ("layers", "backends", "steps", "learning_rate"), SIMULATED: ("model", "device", "parallel")}
"""Fields that a spec of the one kind has, and of the other hasn't."""


def check_kind(text: str, where: str, backend: str) -> None:
    """SpecError where ``text`` is a spec for the other backend; what else is wrong with it, its reader says."""
    try:
        data = read(text, where).data
    except DocumentError:
        return
    if not isinstance(data, dict):
        return
    (other,) = (one for one in BACKENDS if one != backend)
    theirs, ours = ([field for field in _TELLS[one] if field in data] for one in (other, backend))
    if theirs and not ours:
        raise SpecError((f"{where}: {theirs[0]}: is of a spec for the {other} backend; write --backend {other}",))
