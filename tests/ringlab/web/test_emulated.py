"""The view of a run on real packets, without the packets: what it makes of turns, boards and counters."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from collectives.perf.step_board import Board, StepBoard
from controller.client import ControllerError
from ringlab.experiments import runner
from ringlab.experiments import spec as specs
from ringlab.experiments.bench import Installed
from ringlab.web import emulated
from ringlab.web.emulated import Emulated
from ringlab.web.events import PhaseChanged
from ringlab.web.source import RefusedError
from ringlab.web.state import snapshot
from topologies.traffic import Path

SPEC = specs.loads(
    """
name: small
fabric: leaf-spine:leaves=2,spines=2,hosts=1,rate=100G
collective: all_reduce
algorithm: ring
sizes: [1M, 4M]
arms: [pinned, pinned+gloo]
repeats: 1
iterations: 3
"""
)
JOB = runner.job_of(SPEC)
FABRIC = SPEC.fabric


def by_way_of(spine, key):
    """The path of a flow from one host to the other."""
    names = [key.src, FABRIC.peer(FABRIC.nic(key.src)).node, spine, FABRIC.peer(FABRIC.nic(key.dst)).node, key.dst]
    by_name = {FABRIC.direction(port): port for port in FABRIC.directed_links()}
    return Path(tuple(by_name[f"{a}->{b}"] for a, b in pairwise(names)))


PATHS = {key: by_way_of("spine1", key) for key in JOB.connections.values()}


class Controller:
    """Answers as its northbound face does."""

    def __init__(self) -> None:
        self.epoch, self.links, self.moved, self.is_away, self.asked = 1, {}, PATHS, False, []

    def counters(self):
        if self.is_away:
            raise ControllerError("no answer")
        return {
            "ports": [
                {"port": "leaf1:1", "tx_bps": 20e6, "rx_bps": 50e6},
                {"port": "leaf1:2", "tx_bps": 100e6, "rx_bps": 1.0},
            ]
        }

    def status(self):
        return {"epoch": self.epoch, "links": self.links, "jobs": ["ring"]}

    def paths(self):
        return self.moved

    def set_policy(self, job, policy):
        self.asked.append((job, policy))


@pytest.fixture
def board(tmp_path):
    with Board(tmp_path / "board", 2) as board:
        yield board


@pytest.fixture
def view(board, monkeypatch):
    """A source with a fabric that is up, in the turn of the first arm, and its controller."""
    monkeypatch.setattr(emulated, "COUNTERS_S", 0.0)
    notes = []
    source = Emulated(SPEC, board, control=True)
    control = SimpleNamespace(client=SimpleNamespace(address="127.0.0.1:1"), framework="ryu")
    network = SimpleNamespace(plan=SimpleNamespace(settings=SimpleNamespace(scale=1000.0)))
    source.fabric_up(SPEC, SimpleNamespace(control=control, network=network, job=JOB), notes.append)
    source._client = Controller()
    source.turn_begins(SPEC.arms[0], 1, Installed(PATHS, 1.0, 1.0), [3, 2])
    source.notes = notes
    return source


def test_steps_and_size_come_from_the_board(view, board):
    rank = StepBoard(1, str(board.path))
    for _ in range(4):
        rank.operation_begins()
    rank.watch.begun(1)
    view.sample()
    shown = snapshot(view.hub.view)
    assert shown["ranks"][1] == {"host": "h2", "operation": 4, "step": 1}
    assert shown["run"]["size_bytes"] == 4 << 20, "three iterations of 1M, then 4M"


def test_loads_are_what_switches_send_and_what_hosts_send_to_them(view):
    view.sample()
    links = snapshot(view.hub.view)["links"]
    assert links["leaf1:1"] == [0.2, 20.0]
    assert links["h1:1"] == [0.5, 50.0], "hosts count nothing themselves"
    assert links["leaf1:2"] == [1.0, 100.0]
    assert links["spine1:1"] == [0.0, 0.0], "that is told by the switch at that end"


def test_dead_links_and_new_paths_are_told_when_the_controller_knows(view):
    view.sample()
    view._client.epoch, view._client.links = 2, {"leaf1-spine1": "down"}
    view._client.moved = {key: by_way_of("spine2", key) for key in PATHS}
    view.sample()
    assert view.hub.view.states == {"leaf1-spine1": "down"}
    assert any("spine2" in {port.node for port in flow.hops} for flow in view.hub.view.flows)
    view._client.links = {}
    view.sample()
    assert view.hub.view.states == {}


def test_a_controller_that_is_away_is_no_error(view):
    view._client.is_away = True
    view.sample()
    assert view.hub.view.phase == "running"


def test_flows_have_the_names_of_their_ranks(view):
    assert [flow.name for flow in view.hub.view.flows] == ["rank 0 to 1 (h1 to h2)", "rank 1 to 0 (h2 to h1)"]


def test_the_table_fills_line_by_line(view):
    view.line("# nccl-tests version")
    view.line("1048576 262144 float sum -1 167772.0 0.01 0.01 0 N/A N/A N/A")
    (row,) = view.hub.view.rows
    assert (row.arm, row.block, row.size_bytes) == ("pinned", 1, 1 << 20)
    assert row.line_share == pytest.approx(0.5, rel=1e-3), "1 MiB in 168 ms are half of 100 Mb/s"


def test_another_librarys_steps_nobody_knows(view):
    view.turn_begins(SPEC.arms[1], 1, Installed({}, None, None), [3, 2])
    view.sample()
    assert (view.hub.view.steps, view.hub.view.ranks) == (None, ())


def test_what_a_hand_does_is_noted_and_is_a_deed(view):
    view.set_policy("ecmp:seed=2")
    assert view._client.asked == [("ring", "ecmp:seed=2")]
    view.set_link("leaf1-spine1", down=True)
    assert view.deeds() == ("policy ecmp:seed=2 in block 1, pinned", "link leaf1-spine1 cut in block 1, pinned")
    assert view.notes == ["by hand: policy ecmp:seed=2"]
    with pytest.raises(RefusedError, match="no routing policy"):
        view.set_policy("teleport")


def test_what_is_done_before_the_first_turn_is_shown(board):
    source = Emulated(SPEC, board, control=False)
    source.said("probing the shaped rate")
    assert (source.hub.view.phase, source.hub.view.text) == ("starting", "probing the shaped rate")


def test_after_the_run_nothing_can_be_done(view):
    view.run_ends(PhaseChanged("ended", "", "valid"))
    view.sample()
    with pytest.raises(RefusedError, match="run has ended"):
        view.set_link("leaf1-spine1", down=True)
    with pytest.raises(RefusedError, match="no ranks run"):
        view.set_policy("pinned")


def test_without_control_there_is_no_hand(board):
    source = Emulated(SPEC, board, control=False)
    assert (source.has_hand, source.hub.view.policies, source.deeds()) == (False, (), ())
    with pytest.raises(RefusedError):
        source.set_link("leaf1-spine1", down=True)


def test_only_ranks_of_a_turn_show_their_steps(view, board):
    assert view.rank_options() == ("--step-board", str(board.path))
    view.turn_ends()
    assert view.rank_options() == ()
