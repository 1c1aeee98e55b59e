"""What the doctor reads, and what it says of it."""

import pytest

from emulation import doctor
from emulation.errors import MachineError, RunError

SOCKETS = """p_raw 0 0 [0]:* * users:(("ovs-vswitchd",pid=59,fd=82)) skmem:(r0,rb212992,t0,tb{tb},f0,w0,o0,bl0,d0)
p_raw 0 0 *:rabcd-leaf1-1 * users:(("ovs-vswitchd",pid=59,fd=83)) skmem:(r0,rb67108864,t0,tb1,f0,w0,o176,bl0,d0)
"""


def test_the_sending_socket_is_the_one_that_is_bound_to_no_port():
    assert doctor.sending_buffer(SOCKETS.format(tb=67108864)) == 67108864
    assert doctor.sending_buffer(SOCKETS.splitlines()[1]) is None


@pytest.mark.parametrize(("tb", "notes"), [(212992, 1), (67108864, 0)])
def test_a_small_sending_buffer_is_noted_with_its_fix(monkeypatch, tb, notes):
    monkeypatch.setattr(doctor, "run", lambda _: SOCKETS.format(tb=tb))
    found = list(doctor._sending_socket())
    assert len(found) == notes
    assert all(finding.state is doctor.State.NOTE and "restart" in finding.fix for finding in found)


def test_missing_programs_come_with_their_packages(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda program, path: None if program in {"mnexec", "tc"} else program)
    (found,) = doctor._programs()
    assert found.state is doctor.State.MISSING
    assert found.fix == "apt-get install iproute2 mininet"


def test_what_only_examples_take_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda program, path: None if program == "jq" else program)
    _, found = doctor._programs()
    assert (found.state, found.fix) == (doctor.State.NOTE, "apt-get install jq")


def test_what_only_captures_take_is_a_note(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda program, path: None if program == "tcpdump" else program)
    _, found = doctor._programs()
    assert (found.state, found.fix) == (doctor.State.NOTE, "apt-get install tcpdump")
    assert found.found == "not found: tcpdump, which 'ringlab capture' takes"


def test_a_user_without_sbin_in_the_path_has_its_programs(monkeypatch, tmp_path):
    for program in (*doctor.PROGRAMS, *doctor.OF_EXAMPLES, *doctor.OF_CAPTURES):
        (tmp_path / program).write_text("")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(doctor, "SBIN", str(tmp_path))
    (found,) = doctor._programs()
    assert found.state is doctor.State.OK


def test_what_only_root_can_look_at_is_unknown_to_others_and_not_missing(monkeypatch):
    monkeypatch.setattr(doctor.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor, "datapath", lambda: "netdev")
    monkeypatch.setattr(doctor, "records", lambda: pytest.fail("root's"))
    monkeypatch.setattr(doctor, "kernel_has", lambda _: pytest.fail("root's"))

    def refused(_):
        raise RunError("permission denied")

    monkeypatch.setattr(doctor, "run", refused)
    found = {finding.name: finding for finding in doctor.examine()}
    for name in ("Open vSwitch", "datapath", "HTB", "netem", "leftovers"):
        assert found[name] == doctor.Finding(name, doctor.State.NOTE, "unknown: needs root to look")
    assert found["root"].state is doctor.State.MISSING


@pytest.mark.parametrize(
    ("started", "fix"),
    [
        ("/lab/.venv/bin/ringlab", "sudo /lab/.venv/bin/ringlab ..."),
        ("/lab/ringlab/__main__.py", "sudo /lab/.venv/bin/python -m ringlab ..."),
    ],
)
def test_sudo_is_told_the_whole_path_as_it_searches_folders_of_its_own(monkeypatch, started, fix):
    monkeypatch.setattr(doctor.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor.sys, "argv", [started, "doctor"])
    monkeypatch.setattr(doctor.sys, "executable", "/lab/.venv/bin/python")
    (found,) = doctor._root()
    assert found.fix == fix


def test_a_congestion_control_that_namespaces_may_not_use_is_refused_with_the_fix(monkeypatch):
    monkeypatch.setattr(doctor, "congestion_controls", lambda: ["reno"])
    with pytest.raises(MachineError, match=r"sysctl -w net\.ipv4\.tcp_allowed_congestion_control='reno cubic'"):
        doctor.settings(100, 9000, "cubic")
