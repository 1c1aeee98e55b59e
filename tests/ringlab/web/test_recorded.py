"""A run that is over, as a film: its own figures, at its own pace."""

from dataclasses import replace

import pytest

from ringlab.errors import UsageError
from ringlab.experiments import simulated
from ringlab.experiments import spec as specs
from ringlab.experiments.result import from_data, to_data
from ringlab.web import recorded
from ringlab.web.simulated import Simulated

TEXT = """
name: small
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G,latency=1us
ranks: 4
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [1M, 4M]
arms: [spanning-tree, pinned]
repeats: 2
scale: 500
baseline: rtx2080ti-16x1-tcp10g-allreduce-default-linear
"""


@pytest.fixture(scope="module")
def result():
    return from_data(to_data(simulated.run(specs.loads(TEXT))))


def test_the_spec_comes_back_with_its_fabric_and_placement(result):
    spec = recorded.spec_of(result)
    asked = specs.loads(TEXT)
    assert spec.fabric == asked.fabric
    assert (spec.placement, spec.arms, spec.sizes) == (asked.placement, asked.arms, asked.sizes)


def test_blocks_arms_and_sizes_come_in_their_order_with_nominal_times(result):
    turns = recorded.program(result, recorded.spec_of(result))
    assert [(turn.block, turn.arm.name, turn.size_bytes) for turn in turns[:5]] == [
        (1, "spanning-tree", 1 << 20),
        (1, "spanning-tree", 4 << 20),
        (1, "pinned", 1 << 20),
        (1, "pinned", 4 << 20),
        (2, "spanning-tree", 1 << 20),
    ]
    assert len(turns) == 8
    assert turns[0].measured_us == pytest.approx(result.arms[0].results[0].time_us / 500)


def test_blocks_of_real_packets_begin_with_another_arm_each_and_count_arms_that_are_not_played(result):
    """As ``Session.run_blocks`` takes them."""
    emulated = replace(result, fingerprint={})
    turns = recorded.program(emulated, recorded.spec_of(emulated))
    assert [(turn.block, turn.arm.name) for turn in turns[::2]] == [
        (1, "spanning-tree"), (1, "pinned"), (2, "pinned"), (2, "spanning-tree"),
    ]  # fmt: skip
    foreign = replace(emulated.arms[0], name="pinned+gloo", group="pinned+gloo", library="gloo")
    three = replace(emulated, arms=(foreign, *emulated.arms))
    turns = recorded.program(three, recorded.spec_of(emulated))
    assert [(turn.block, turn.arm.name) for turn in turns[4::2]] == [(2, "spanning-tree"), (2, "pinned")]
    assert recorded.said(three) == ["left out, as a result alone does not say how they move: pinned+gloo"]


def test_the_films_table_has_the_runs_own_figures(result):
    spec = recorded.spec_of(result)
    film = Simulated(
        spec, 1.0, control=False, program=recorded.program(result, spec), kind="recorded",
        ending=recorded.ending(result), said=recorded.said(result),
    )  # fmt: skip
    film.sample()
    film.hub._began_s -= 10.0
    film.sample()
    view = film.hub.view
    assert (view.kind, view.phase, view.verdict) == ("recorded", "ended", result.certificate.verdict)
    first = result.arms[0].results[0]
    assert view.rows[0].busbw_GBps == pytest.approx(first.nominal.busbw_GBps)
    assert view.rows[0].line_share == pytest.approx(first.line_share)


def test_other_libraries_arms_are_left_out_and_a_run_of_them_alone_is_no_film(result):
    data = {**result.spec, "arms": ["pinned", "pinned+gloo"]}
    spec = recorded.spec_of(replace(result, spec=data))
    assert [arm.name for arm in spec.arms] == ["pinned"]
    with pytest.raises(UsageError, match="no arm ran by our own library"):
        recorded.spec_of(replace(result, spec={**data, "arms": ["pinned+gloo"]}))


def test_a_run_without_a_finished_turn_is_no_film(result):
    empty = replace(result, arms=())
    with pytest.raises(UsageError, match="no turn of it was finished"):
        recorded.program(empty, recorded.spec_of(result))


def test_a_failed_run_says_why(result):
    ended = recorded.ending(replace(result, failure="block 2, pinned: rank 3 was ended by SIGKILL"))
    assert (ended.phase, ended.text) == ("failed", "block 2, pinned: rank 3 was ended by SIGKILL")
