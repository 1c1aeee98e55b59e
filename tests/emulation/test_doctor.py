"""What the doctor reads, and what it says of it."""

import pytest

from emulation import doctor
from emulation.errors import MachineError

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
    monkeypatch.setattr(doctor.shutil, "which", lambda program: None if program in {"mnexec", "tc"} else program)
    (found,) = doctor._programs()
    assert found.state is doctor.State.MISSING
    assert found.fix == "apt-get install iproute2 mininet"


def test_a_congestion_control_that_namespaces_may_not_use_is_refused_with_the_fix(monkeypatch):
    monkeypatch.setattr(doctor, "congestion_controls", lambda: ["reno"])
    with pytest.raises(MachineError, match=r"sysctl -w net\.ipv4\.tcp_allowed_congestion_control='reno cubic'"):
        doctor.settings(100, 9000, "cubic")
