"""How scenarios are spread over workers: chunks by cost, all come back once, who kills a worker is found."""

import random
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlab.errors import RunError
from ringlab.sweeps.engines import lanes
from ringlab.sweeps.engines.lanes import CHUNK_S, MAX_CHUNK, chunk_size, spread


class Workers:
    """Lanes in memory; chunks land one by one in any order. ``killers`` end their worker; a pool breaks with it."""

    def __init__(self, count=2, killers=(), cost_s=0.01, *, pool=False, seed=0):
        self.count, self.killers, self.cost_s, self.pool = count, set(killers), cost_s, pool
        self.sent, self.broken, self.any = [], False, random.Random(seed)
        self.ids = {}

    def submit(self, chunk):
        if self.broken:
            raise BrokenExecutor("broken")
        future = Future()
        self.ids[future] = [one["id"] for one in chunk]
        self.sent.append(self.ids[future])
        return future

    def revive(self):
        self.broken = False

    def wait(self, flying, return_when):
        """In the place of ``concurrent.futures.wait``."""
        assert return_when == FIRST_COMPLETED
        future = self.any.choice(list(flying))
        if not future.done():
            self._land(future, flying)
        return {future}, set(flying) - {future}

    def _land(self, future, flying):
        ids = self.ids[future]
        if not self.killers & set(ids):
            future.set_result([{"id": id_, "ok": True, "meta": {"wall_s": self.cost_s}} for id_ in ids])
            return
        self.broken = self.pool
        for one in flying if self.pool else [future]:
            if not one.done():
                one.set_exception(BrokenExecutor("died"))


def worked_off(scenarios, workers):
    with patch.object(lanes, "wait", workers.wait):
        return list(spread(scenarios, workers))


def scenarios(count):
    return [{"id": f"{place:04}"} for place in range(count)]


def by_id(records):
    found = {record["id"]: record for record in records}
    assert len(found) == len(records)
    return found


@given(
    st.integers(0, 60),
    st.integers(1, 5),
    st.sets(st.integers(0, 59), max_size=4),
    st.sampled_from([0.001, 0.05, 1.0]),
    st.booleans(),
    st.integers(0, 99),
)
def test_every_scenario_comes_back_once_and_only_killers_fail(count, lanes, killers, cost_s, pool, seed):
    killers = {f"{place:04}" for place in killers if place < count}
    workers = Workers(lanes, killers, cost_s, pool=pool, seed=seed)
    found = by_id(worked_off(scenarios(count), workers))
    assert set(found) == {one["id"] for one in scenarios(count)}
    assert {id_ for id_, record in found.items() if not record["ok"]} == killers


def test_a_failed_record_says_that_its_worker_died():
    (record,) = worked_off(scenarios(1), Workers(killers={"0000"}))
    assert record["error"] == "its worker died: BrokenExecutor: died; out of memory?"
    assert record["exit_code"] == 4


def test_the_first_travel_alone_then_as_many_as_are_worth_a_message():
    workers = Workers(1, cost_s=0.01)
    worked_off(scenarios(200), workers)
    sizes = [len(chunk) for chunk in workers.sent]
    assert sizes[:2] == [1, 1]
    assert max(sizes) == CHUNK_S / 0.01
    assert sizes[-1] < sizes[2]  # the last are smaller, so that no lane waits for another


def test_what_takes_long_travels_alone():
    workers = Workers(2, cost_s=60.0)
    worked_off(scenarios(9), workers)
    assert [len(chunk) for chunk in workers.sent] == [1] * 9


@pytest.mark.parametrize(
    ("cost_s", "waiting", "lanes", "expected"),
    [
        (None, 100, 2, 1),
        (0.0, 10**6, 2, MAX_CHUNK),
        (0.001, 10**6, 2, 200),
        (0.001, 100, 2, 25),
        (0.3, 100, 2, 1),
        (0.1, 1, 8, 1),
    ],
)
def test_chunk_size(cost_s, waiting, lanes, expected):
    assert chunk_size(cost_s, waiting, lanes) == expected


def test_lost_workers_end_the_sweep_with_a_word():
    class Lost(Workers):
        def submit(self, chunk):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(RunError, match="--resume goes on"):
        list(spread(scenarios(3), Lost()))
