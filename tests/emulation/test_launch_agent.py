"""The launch agent: what it would run, where, under which name."""

import subprocess

import pytest

from emulation.launch_agent import agent_script, named

SCRIPT = agent_script({"10.0.0.1": ("h1", 11), "10.0.0.2": ("h2", 22)})


@pytest.fixture
def agent(tmp_path):
    """``agent(*words)`` runs the script with a ``setpriv`` that only says what it was to run."""
    (tmp_path / "setpriv").write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    (tmp_path / "setpriv").chmod(0o755)
    (tmp_path / "agent").write_text(SCRIPT)

    def run(*words):
        return subprocess.run(
            ["/bin/sh", str(tmp_path / "agent"), *words],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.mark.process
def test_a_command_goes_into_the_host_of_its_address_and_dies_with_its_caller(agent):
    words = agent("10.0.0.2", "A=1; export A;", "prted", "--x", '"a b"').stdout.splitlines()
    assert words[:5] == ["--pdeathsig", "KILL", "mnexec", "-a", "22"]
    assert words[-4:] == ["h2", "sh", "-c", 'A=1; export A; prted --x "a b"']


@pytest.mark.process
def test_an_unknown_address_is_refused(agent):
    done = agent("10.0.0.9", "true")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "no emulated host has the address 10.0.0.9\n"


@pytest.mark.root
def test_a_program_is_told_the_hosts_name():
    assert subprocess.check_output(named("h7", ["uname", "-n"]), text=True) == "h7\n"
    assert subprocess.check_output(["uname", "-n"], text=True) != "h7\n"
