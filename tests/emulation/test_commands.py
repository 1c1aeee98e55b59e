"""Programs of the system, one and many at once: what they print, and how they fail."""

import pytest

from emulation.commands import run, run_scripts
from emulation.errors import MachineError, RunError

pytestmark = pytest.mark.process


def test_what_a_program_prints():
    assert run(["cat"], stdin="hello") == "hello"
    assert run(["cat"], stdin="hello", mortal=True) == "hello"


def test_a_missing_program_is_the_machines_fault():
    with pytest.raises(MachineError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_every_script_is_run_and_counted():
    lines = []
    run_scripts([f"echo {number}" for number in range(10)], lambda: lines.append(1))
    assert len(lines) == 10


def test_the_first_that_fails_says_why():
    with pytest.raises(RunError, match="out of luck"):
        run_scripts(["true", "echo out of luck >&2; exit 3", "true", "true"], lambda: None)


def test_a_script_that_hangs_is_ended():
    with pytest.raises(RunError, match=r"said nothing for 0\.2 s"):
        run_scripts(["exec sleep 60"], lambda: None, timeout_s=0.2)
