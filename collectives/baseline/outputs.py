"""Any file of a baseline: what a benchmark printed, or what was kept. Pure: which reader it is, the text tells."""

from __future__ import annotations

from collectives.baseline import nccl_tests, osu, stored
from collectives.baseline.model import Baseline
from collectives.baseline.stated import NOTHING_STATED, Stated


def parse(text: str, name: str, stated: Stated = NOTHING_STATED) -> Baseline:
    """nccl-tests, rccl-tests, OSU or a kept baseline. BaselineError says what is wrong, in which file and line."""
    if stored.is_one(text):
        return stored.loads(text, name)
    if osu.is_one(text):
        return osu.parse(text, name, stated)
    return nccl_tests.parse(text, name, stated)
