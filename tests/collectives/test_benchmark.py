"""benchmarks/collectives.py runs, checks what it times, and writes what its reader expects."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "collectives.py"


@pytest.mark.process
def test_it_measures_and_writes_its_results():
    words = ["--ranks", "2", "--blocks", "2", "--sizes", "8,1048576", "--libraries", "ringlab", "--json", "-"]
    done = subprocess.run([sys.executable, PROGRAM, *words], capture_output=True, text=True, timeout=50, check=True)
    found = json.loads(done.stdout)
    assert [(s["bytes"], s["block"], s["wrong"]) for s in found["samples"]] == [
        (8, 0, 0),
        (1 << 20, 0, 0),
        (8, 1, 0),
        (1 << 20, 1, 0),
    ]
    assert all(s["seconds"] > 0 for s in found["samples"])
    [memory] = found["results"]
    assert set(memory) == {"name", "value", "unit", "goal", "better", "met"}
