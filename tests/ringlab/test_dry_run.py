"""``--dry-run`` prints a plan and measures nothing."""

import pytest
from click.testing import CliRunner

from ringlab.commands import run, train, up
from ringlab.experiments import calibrate

SPEC = """\
name: demo
fabric: leaf-spine:leaves=2,spines=1,hosts=1,rate=1G
algorithm: ring
sizes: [1M]
arms: [pinned]
"""
TRAINING = SPEC.replace("sizes: [1M]", "layers: [4, 4]\nbatch: 4\nbucket_mb: [1]\nsteps: 3")
UNKNOWN = "# scale: measured at the first run"


@pytest.fixture
def dry(tmp_path, monkeypatch):
    """The lines that each command prints; measuring fails."""
    monkeypatch.setattr(calibrate, "kept", lambda: None)
    monkeypatch.setattr(calibrate, "measure", lambda _: pytest.fail("measured"))
    (tmp_path / "run.yaml").write_text(SPEC)
    (tmp_path / "train.yaml").write_text(TRAINING)

    def printed(command, *options):
        file = {run: "run.yaml", train: "train.yaml"}.get(command)
        what = str(tmp_path / file) if file else "leaf-spine:leaves=2,spines=1,hosts=1,rate=1G"
        found = CliRunner().invoke(command.command, [what, "--dry-run", *options], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.stdout.splitlines()

    return printed


@pytest.mark.parametrize("command", [run, train, up])
def test_a_scale_that_is_not_known_yet_is_said_to_be(dry, command):
    lines = dry(command)
    assert lines[0] == UNKNOWN
    assert lines[1] == "namespace h1"
    assert any("rate 1000000000bit" in line for line in lines)


@pytest.mark.parametrize("command", [run, train, up])
def test_a_scale_that_is_given_is_taken(dry, command):
    lines = dry(command, "--scale", "10")
    assert UNKNOWN not in lines
    assert any("rate 100000000bit" in line for line in lines)


@pytest.mark.parametrize("command", [run, train, up])
def test_a_scale_that_was_measured_is_taken(dry, command, monkeypatch):
    monkeypatch.setattr(calibrate, "kept", lambda: calibrate.Calibration(1e9, 1e8, ""))
    lines = dry(command)
    assert UNKNOWN not in lines
    assert not any("rate 1000000000bit" in line for line in lines)
