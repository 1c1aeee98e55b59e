"""The blocks of an A/B on benches that are played: what is refused, made again, dropped, and when it ends."""

import io
import json
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from controller.client import ControllerStartError
from emulation.errors import MachineError, RunError
from ringlab import errors
from ringlab.errors import CheckError
from ringlab.experiments import runs_entry
from ringlab.experiments.ab import ab_file, session, table
from ringlab.experiments.ab.outcome import to_data
from ringlab.experiments.ab.runner import BROKEN, INTERRUPTED, UNFIT, Blocks, measured
from ringlab.experiments.ab.stopping import BUDGET, NARROW, Rules
from ringlab.experiments.result import Certificate, SizeResult

TEXT = """
base: {fabric: 'star:hosts=4', algorithm: ring, sizes: [1M], policy: shortest}
arms: {a: {}, b: {policy: pinned}, c: {channels: 2}}
"""
SIZE = 1 << 20


class Bench:
    """Runs a spec in no time. ``usual_us`` by arm; ``ill(number of the run)``: a certificate's verdict, or an error."""

    def __init__(self, make_result, usual_us, ill=lambda _: "valid", minutes=1.0):
        self.make_result, self.usual_us, self.ill = make_result, usual_us, ill
        self.runs, self.now, self.minutes = [], 0.0, minutes

    def clock(self):
        return self.now

    def run(self, spec, backend):
        self.runs.append((tuple(arm.name for arm in spec.arms), backend, spec.scale))
        self.now += 60 * self.minutes
        verdict = self.ill(len(self.runs))
        if isinstance(verdict, BaseException):
            raise verdict
        result = self.make_result(sizes=(SIZE,), shares={"pinned": 0.9}, scale=spec.scale)
        found = tuple(
            replace(
                result.arms[0], name=arm.name, group=arm.group,
                results=(self._size(self.usual_us[arm.group] * (1 + 0.001 * (len(self.runs) % 3)) * spec.scale),),
            )
            for arm in spec.arms
        )  # fmt: skip
        return replace(result, arms=found, certificate=Certificate(verdict, ("too busy",), ()))

    def _size(self, time_us):
        return SizeResult.measured(
            [[time_us, time_us * 1.002]], size_bytes=SIZE, count=1, dtype="float", redop="sum", bus_factor=1.5,
            line_rate_bps=1e9, scale=4.0, predicted_us=None, wrong=0,
        )  # fmt: skip


def blocks(bench, limit_s=None, rules=None):
    wanted = ab_file.loads(TEXT)
    rules = rules or Rules(20, 0.02, 0.02, seed=1)
    return Blocks(wanted.arms, rules, (SIZE,), bench.run, bench.clock, lambda _: None, 4.0, limit_s).all()


@pytest.fixture
def bench(make_result):
    return lambda usual_us=None, **how: Bench(make_result, usual_us or {"a": 100.0, "b": 80.0, "c": 100.0}, **how)


def test_arms_of_one_bench_share_a_run_and_the_warm_up_does_not_count(bench):
    played = bench()
    found = blocks(played)
    assert (found.stopped, found.counted, len(found.blocks)) == (NARROW, 6, 7)
    assert not found.blocks[0].counted
    assert Counter(len(names) for names, _, _ in played.runs) == {2: 7, 1: 7}
    assert {scale for _, _, scale in played.runs} == {4.0}
    assert found.blocks[1].times_us["a"][SIZE] == pytest.approx(100, rel=0.01)  # the dilation is taken out
    assert [(one.arm, one.than, one.verdict) for one in found.last.judged] == [("b", "a", "faster"), ("c", "a", "same")]


def test_a_turn_takes_what_its_launches_take_in_the_middle(make_result):
    found = make_result(sizes=(SIZE,), shares={"pinned": 0.9}, scale=2.0)
    one, *others = found.arms
    launches = [[200.0, 200.0, 900.0], [800.0, 800.0, 1.0]]
    size = replace(one.results[0], samples_us=launches)
    samples, times = measured(replace(found, arms=(replace(one, results=(size,)), *others)), one.group)
    assert times[SIZE] == pytest.approx(200), "between the fast way and the slow one, 100 and 400"
    assert samples[SIZE] == (100, 100, 450, 400, 400, 0.5)


def test_an_invalid_turn_is_made_again_and_never_enters(bench):
    played = bench(ill=lambda run: "invalid" if run in {5, 6, 11} else "valid")
    found = blocks(played)
    assert (found.stopped, found.counted) == (NARROW, 6)
    assert [one.reason for one in found.refused] == ["invalid: too busy"] * 3
    assert all(set(block.verdicts.values()) == {"valid"} for block in found.blocks)
    assert len(played.runs) == 14 + 3


def test_a_doubtful_turn_enters(bench):
    found = blocks(bench(ill=lambda _: "doubtful"))
    assert found.stopped == NARROW
    assert set(found.blocks[1].verdicts.values()) == {"doubtful"}


def test_a_block_without_one_of_its_turns_is_dropped_whole(bench):
    found = blocks(bench(ill=lambda run: RunError("h3 is gone") if 3 <= run <= 5 else "valid"))
    dropped = [block for block in found.blocks[1:] if not block.counted]
    assert [block.number for block in dropped] == [1]
    assert (found.counted, found.blocks[-1].number) == (6, 7)
    assert {one.reason for one in found.refused} == {"h3 is gone"}


def test_a_bench_that_never_gives_a_valid_turn_is_unfit(bench):
    played = bench(ill=lambda _: "invalid")
    found = blocks(played)
    assert (found.stopped, found.counted, found.looks) == (UNFIT, 0, ())
    assert len(played.runs) == 9


def test_what_the_machine_lacks_ends_it_at_once(bench):
    with pytest.raises(MachineError):
        blocks(bench(ill=lambda _: MachineError("needs root")))


def test_no_block_begins_that_would_end_too_late(bench):
    rules = Rules(20, within=1e-9, same=0.02, seed=1)
    found = blocks(bench(minutes=1.0), limit_s=600, rules=rules)  # two minutes a block
    assert (found.stopped, len(found.blocks), found.counted) == (BUDGET, 5, 4)
    assert [look.blocks for look in found.looks] == [4]


def test_who_has_enough_keeps_what_is_there(bench):
    rules = Rules(20, within=1e-9, same=0.02, seed=1)
    found = blocks(bench(ill=lambda run: KeyboardInterrupt() if run == 12 else "valid"), rules=rules)
    assert (found.stopped, found.counted, [look.blocks for look in found.looks]) == (INTERRUPTED, 4, [4])
    with pytest.raises(KeyboardInterrupt):
        blocks(bench(ill=lambda run: KeyboardInterrupt() if run == 3 else "valid"))


@pytest.mark.parametrize("error", [MachineError("the disk is full"), OSError("the disk is full"), TypeError()])
def test_what_breaks_late_keeps_what_is_there(bench, error):
    rules = Rules(20, within=1e-9, same=0.02, seed=1)
    found = blocks(bench(ill=lambda run: error if run == 12 else "valid"), rules=rules)
    assert (found.stopped, found.counted, [look.blocks for look in found.looks]) == (BROKEN, 4, [4])
    assert found.error == (str(error) or "TypeError")


def test_a_controller_that_does_not_start_is_started_again(bench):
    found = blocks(bench(ill=lambda run: ControllerStartError("not in 30 s") if run == 5 else "valid"))
    assert (found.stopped, found.counted, [one.reason for one in found.refused]) == (NARROW, 6, ["not in 30 s"])


def test_elements_that_came_out_wrong_never_enter(bench, monkeypatch):
    played = bench()
    usual = played.run

    def wrong(spec, backend):
        result = usual(spec, backend)
        bad = replace(result.arms[0], results=(replace(result.arms[0].results[0], wrong=3),))
        return replace(result, arms=(bad, *result.arms[1:]))

    monkeypatch.setattr(played, "run", wrong)
    found = blocks(played)
    assert found.stopped == UNFIT
    assert found.refused[0].reason == "3 elements came out wrong"


def outcome_of(bench, **changes):
    wanted = replace(ab_file.loads(TEXT), seed=1, **changes)
    benches = session.Benches("auto")
    benches.run = bench.run
    return session.run(wanted, benches, 4.0, lambda _: None)


def test_without_a_whole_block_nothing_is_said_and_that_is_an_error(bench):
    outcome = outcome_of(bench(ill=lambda _: "invalid"))
    assert (outcome.found.counted, outcome.found.last) == (0, None)
    with pytest.raises(CheckError, match="too few valid turns; the last refused one, block 2: invalid: too busy"):
        session.check_outcome(outcome)
    out = Console(width=110, file=io.StringIO())
    table.show(outcome, out)
    said = out.file.getvalue()
    assert "No block was whole: nothing can be said." in said
    assert "9 turns refused" in said


def test_an_a_b_that_broke_says_so_after_its_table(bench):
    outcome = outcome_of(bench(ill=lambda run: OSError("no space left") if run == 12 else "valid"), within=1e-9)
    with pytest.raises(errors.RunError, match="after 4 blocks, which are kept: no space left"):
        session.check_outcome(outcome)


def test_a_time_that_is_over_too_early_is_not_the_bench_s_fault(bench):
    with pytest.raises(CheckError, match="the time was over before a block was whole; give more --time"):
        session.check_outcome(outcome_of(bench(), time_s=0.0))


def test_an_a_a_without_a_whole_block_says_nothing(bench):
    outcome = outcome_of(bench({"a": 100.0, "a again": 100.0}, ill=lambda _: "invalid"), aa=True)
    out = Console(width=110, file=io.StringIO())
    table.show(outcome, out)
    assert "A/A first, 0 blocks: nothing can be said. Stopped: block after block" in out.file.getvalue()
    assert "no difference" not in out.file.getvalue()
    entry = runs_entry._ab("x", json.loads(json.dumps(to_data(outcome))))
    assert entry.verdicts == ("unfit",)


def test_an_a_a_comes_first_and_a_bench_that_shows_a_difference_there_is_refused(bench):
    good = outcome_of(bench({"a": 100.0, "a again": 100.0, "b": 80.0, "c": 100.0}), aa=True)
    assert (good.aa.differs(), good.found.differs()) == (False, True)
    session.check_outcome(good)
    bad = outcome_of(bench({"a": 100.0, "a again": 93.0}), aa=True)
    assert (bad.aa.differs(), bad.found) == (True, None)
    with pytest.raises(CheckError, match="between equal arms"):
        session.check_outcome(bad)


def test_an_outcome_is_plain_data_with_all_that_was_decided(bench):
    data = to_data(outcome_of(bench()))
    assert (data["kind"], data["found"]["rules"]["seed"], data["scale"]) == ("ab", 1, 4.0)
    assert data["found"]["comparisons"][0]["verdict"] == "faster"
    assert data["found"]["comparisons"][0]["ratio"] == pytest.approx(1.25)
    assert len(data["found"]["blocks"][0]["order"]) == 2
    assert data["specs"]["c"]["channels"] == 2
