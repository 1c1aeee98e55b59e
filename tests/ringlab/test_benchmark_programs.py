"""The programs of benchmarks/: each starts as README says, and with ``--json -`` says nothing but JSON."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = sorted(file.name for file in FOLDER.glob("*.py") if "ArgumentParser(" in file.read_text())


@pytest.fixture
def program(monkeypatch):
    """Loads a program as a module; its dataclasses ask for it by name."""

    def load(name):
        monkeypatch.setattr(sys, "path", [*sys.path])
        spec = importlib.util.spec_from_file_location(f"benchmark_of_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.process
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_starts(name, tmp_path):
    """Its own folder comes first on the path, where files have packages' names."""
    words = [sys.executable, str(FOLDER / name), "--help"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--json" in done.stdout


def runs(fidelity):
    sound = [fidelity.Run("sound, ring", "valid", 1000.0, {"rate": 0.01, "reach": 0.0}, {}) for _ in range(2)]
    return [*sound, fidelity.Run("halted switch", "failed", math.inf, {"rate": math.inf}, {"failed": "invalid"}, "it")]


def test_fidelity_s_json_is_all_it_prints_and_holds_no_infinity(program, monkeypatch, capsys):
    fidelity = program("fidelity")
    monkeypatch.setattr(fidelity, "collect", lambda *_: runs(fidelity))
    monkeypatch.setattr(sys, "argv", ["fidelity.py", "--json", "-"])
    with pytest.raises(SystemExit):
        fidelity.main()
    *figures, told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [run["time_us"] for run in told["samples"]] == [1000.0, 1000.0, None]
    assert [figure["value"] for figure in figures[:4]] == [1.0, 0.0, 0.01, None]
    assert [fidelity.from_data(run) for run in told["samples"]] == runs(fidelity)


def test_fidelity_s_table_is_there_without_it(program, monkeypatch, capsys):
    fidelity = program("fidelity")
    monkeypatch.setattr(fidelity, "collect", lambda *_: runs(fidelity))
    monkeypatch.setattr(sys, "argv", ["fidelity.py"])
    with pytest.raises(SystemExit):
        fidelity.main()
    out = capsys.readouterr().out
    assert "limits by the rule, of the other half: rate 0.015" in out
    assert "overloaded flagged: 1 (goal 0.95) met" in out


@pytest.mark.parametrize("words", [["--json", "-"], []])
def test_backends_prints_its_table_or_its_json(program, monkeypatch, capsys, words):
    backends = program("backends")
    row = {
        "fabric": "star:hosts=6", "algorithm": "ring", "arm": "pinned", "bytes": 4 << 20, "emulated_us": 100.0,
        "simulated_us": 101.0, "ratio": 1.01, "verdict": "valid", "why": [],
    }  # fmt: skip
    monkeypatch.setattr(backends, "measured", lambda *_: [row])
    monkeypatch.setattr(sys, "argv", ["backends.py", "--quick", *words])
    assert backends.main() == 0
    out = capsys.readouterr().out
    if words:
        assert json.loads(out)["samples"] == [row] * 3
    else:
        assert "furthest apart of 3 valid of 3 arms, 4 MiB: 0.01 1, goal 0.1: met" in out
