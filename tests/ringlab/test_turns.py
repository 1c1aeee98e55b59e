"""What the turns of a run keep where its machine fails them. No fabric, no root."""

from types import SimpleNamespace

import pytest

from emulation import fidelity, probe
from emulation.errors import RunError
from ringlab.experiments import turns
from ringlab.experiments.spec import loads

SPEC = """\
name: demo
fabric: leaf-spine:leaves=2,spines=1,hosts=1
algorithm: ring
sizes: [1M]
arms: [pinned]
repeats: 2
"""
SEEN = fidelity.Observation(0.5, 0.0, 0, 0, 1, 0, ())


def test_a_last_ping_that_never_comes_back_leaves_what_was_measured(monkeypatch):
    monkeypatch.setattr(turns, "Watch", lambda _: SimpleNamespace(observation=lambda: SEEN))
    monkeypatch.setattr(turns.Session, "_turn", lambda _, turn, *__: turn.blocks.append("measured"))

    def lost(*_):
        raise RunError("no ping from h1 to h2 came back")

    monkeypatch.setattr(probe, "round_trip_near_s", lost)
    timeline = turns.Timeline()
    session = turns.Session(loads(SPEC, "demo.yaml"), SimpleNamespace(network=None), timeline, lambda _: None)
    session.seen_on_path = fidelity.Probe(1.0, None, 0.0, (1e-4,))
    ended = session.run_blocks()
    assert ended == turns.Ended(SEEN, "round trip after the run: no ping from h1 to h2 came back")
    assert session.turns["pinned"].blocks == ["measured", "measured"]
    assert timeline.moments[-1].event == "round trip after the run: failed"


def test_an_error_of_our_own_is_not_taken_for_a_lost_ping(monkeypatch):
    monkeypatch.setattr(turns, "Watch", lambda _: SimpleNamespace(observation=lambda: SEEN))
    monkeypatch.setattr(turns.Session, "_turn", lambda *_: None)
    session = turns.Session(loads(SPEC, "demo.yaml"), SimpleNamespace(network=None), turns.Timeline(), lambda _: None)
    with pytest.raises(AssertionError):
        session.run_blocks()
