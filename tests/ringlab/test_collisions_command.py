import json

import numpy as np
import pytest
from rich.console import Console

from ringlab.cli import main
from ringlab.collisions import draws, outcome, plot
from simulation.collisions import Case, collide
from simulation.next_hops import NextHops
from topologies.leaf_spine import leaf_spine

FABRIC = "leaf-spine:leaves=4,spines=4,hosts=4"
COLUMNS = ("seed", "fullest", "slowdown", "throughput", "slowest", "times", "flows", "most", "most_seed")


def shown(capsys, *words):
    assert main(["collisions", *words]) == 0
    return capsys.readouterr().out


def data_of(capsys, *words):
    return json.loads(shown(capsys, *words, "--json", "-"))


def test_for_people(capsys):
    out = shown(capsys, FABRIC, "--seeds", "500", "--qps", "1", "--qps", "4", "--links", "2")
    assert out.startswith("leaf-spine-4x4x4: permutation of 16 ranks, contiguous, channels: 1\n")
    rows = [line.split() for line in out.splitlines() if line.startswith("ecmp ")]
    assert [row[:3] for row in rows] == [["ecmp", "1", "500"], ["ecmp", "4", "500"]]
    assert float(rows[0][3]) == pytest.approx(2.51, abs=0.15)  # study of simulation, 3.1; 500 draws: 4.7 sigmas
    assert float(rows[1][3]) < float(rows[0][3])
    assert "ecmp, 4 QPs: the worst links" in out
    assert " QP " in out
    assert out.count("seed ") == 4  # two links a case


def test_as_data_it_is_what_the_simulation_says(capsys):
    data = data_of(capsys, FABRIC, "--seeds", "300", "--first-seed", "7", "--pattern", "shuffled-ring")
    (case,) = data["cases"]
    fabric = leaf_spine(4, 4, 4)
    found = collide(NextHops.of(fabric), Case("shuffled-ring", np.arange(16)), range(7, 307))
    assert case["slowdown"]["mean"] == pytest.approx(found.slowdown.mean())
    assert case["busbw"]["p1"] == pytest.approx(1 / found.slowdown.max(), abs=0.1)
    assert case["throughput"]["mean"] == pytest.approx(found.throughput.mean())
    assert sum(number for _, number in case["distribution"]) == 300
    link = case["worst_links"][0]
    assert link["draws"] == found.times.max()
    assert len(link["some_flows"]) == link["most"]
    assert link["link"] in {fabric.direction(port) for port in fabric.directed_links()}


def test_a_contiguous_ring_does_not_collide_and_an_interleaved_one_does(capsys):
    assert "nothing collides" in shown(capsys, FABRIC, "--pattern", "ring", "--seeds", "50")
    words = FABRIC, "--pattern", "ring", "--placement", "interleaved", "--seeds", "50", "--policy"
    data = data_of(capsys, *words, "ecmp", "--policy", "spray")
    ecmp, spray = data["cases"]
    assert ecmp["slowdown"]["mean"] > 1.5
    assert spray["slowdown"]["mean"] == pytest.approx(1)
    assert (ecmp["draws"], spray["draws"]) == (50, 1)  # nothing is drawn where a ring is sprayed


def test_a_dead_link_makes_the_rest_fuller(capsys):
    words = "leaf-spine:leaves=2,spines=2,hosts=2", "--pattern", "all-to-all", "--policy", "spray"
    whole, cut = data_of(capsys, *words), data_of(capsys, *words, "--dead", "leaf1-spine1")
    # Each host sends 3 flows; 4 cross each way, over two spines or one.
    assert whole["cases"][0]["slowdown"]["mean"] == pytest.approx(1)
    assert cut["cases"][0]["slowdown"]["mean"] == pytest.approx(4 / 3)
    assert {link["link"] for link in cut["cases"][0]["worst_links"]} >= {"leaf1->spine2", "spine2->leaf1"}


def test_every_nic_has_a_channel(capsys):
    assert data_of(capsys, "rail:groups=2,hosts=2,rails=4,spines=4", "--seeds", "5")["channels"] == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((FABRIC, "--dead", "leaf1-spine9"), "no such link in leaf-spine-4x4x4; did you mean"),
        ((FABRIC, "--dead", "h1-leaf1"), "--dead h1-leaf1: is a host's link"),
        ((FABRIC, "--plot", "here.pdf"), "ends in .svg or .png"),
        ((FABRIC, "--pattern", "star"), "'star' is not one of"),
        (("leaf-spine:leaves=2,spines=1,hosts=1", "--dead", "leaf1-spine1"), "while leaf1-spine1 is dead: bring it up"),
        (("leaf-spine:leaves=60,spines=1,hosts=50", "--pattern", "all-to-all"), "flows a draw, more than"),
    ],
)
def test_what_is_wrong_is_one_line(capsys, words, message):
    assert main(["collisions", *words]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_histogram(capsys, tmp_path, suffix):
    target = tmp_path / f"made/collisions.{suffix}"
    shown(capsys, FABRIC, "--seeds", "100", "--qps", "1", "--qps", "2", "--plot", str(target))
    content = target.read_bytes()
    assert content.startswith(b"<?xml" if suffix == "svg" else b"\x89PNG")


def test_the_histogram_has_every_draw():
    tables = NextHops.of(leaf_spine(4, 4, 4))
    cases = [Case("permutation", np.arange(16), queues) for queues in (1, 3)]
    found = [outcome.outcome(tables, case, collide(tables, case, range(200)), 0) for case in cases]
    edges = plot.bins(found)
    for one in found:
        counts, _ = np.histogram(one.draws.slowdown, edges)
        assert counts.sum() == 200
    # Thirds of flows: every value in the middle of a bin.
    centres = (edges[:-1] + edges[1:]) / 2
    values = np.unique(found[1].draws.slowdown)
    assert np.abs(values[:, None] - centres).min(axis=1) == pytest.approx(np.zeros(len(values)), abs=1e-6)


def test_chunks_change_nothing(monkeypatch):
    tables = NextHops.of(leaf_spine(4, 4, 4))
    case = Case("shuffled-ring", np.arange(16), queues=2)
    whole = collide(tables, case, range(100))
    monkeypatch.setattr(draws, "FLOWS_A_CHUNK", 32 * 7)
    heard = []
    chunked = draws.draw(tables, case, range(100), None, heard.append)
    assert heard == [7] * 14 + [2]
    for name in COLUMNS:
        assert np.array_equal(getattr(chunked, name), getattr(whole, name)), name


@pytest.mark.process
def test_processes_change_nothing(monkeypatch):
    tables = NextHops.of(leaf_spine(4, 4, 4), frozenset({"leaf1-spine1"}))
    case = Case("permutation", np.arange(16))
    whole = collide(tables, case, range(100))
    monkeypatch.setattr(draws, "FLOWS_A_CHUNK", 16 * 20)
    heard = []
    apart = draws.draw(tables, case, range(100), 2, heard.append)
    assert heard == [20] * 5
    for name in COLUMNS:
        assert np.array_equal(getattr(apart, name), getattr(whole, name)), name


def test_the_bar_in_a_terminal_counts_draws(monkeypatch, capsys):
    monkeypatch.setattr(draws, "Console", lambda stderr: Console(stderr=stderr, force_terminal=True, width=80))
    with draws.bar(30) as done:
        done(20)
        done(10)
    assert "30/30" in capsys.readouterr().err
    monkeypatch.undo()
    with draws.bar(30) as done:
        done(30)
    assert capsys.readouterr().err.strip() == ""
