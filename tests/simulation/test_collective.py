"""A schedule as flows, against times worked out by hand."""

import numpy as np
import pytest

from collectives.algorithms import build
from collectives.schedule import Op, Schedule, Transfer
from simulation.collective import Job, plan
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.replay import Change, StalledError
from simulation.run import joined, simulate
from topologies.catalog import from_short_form

GBPS = 1e9


def star(hosts, rate="1G", latency="0s"):
    return from_short_form(f"star:hosts={hosts},rate={rate},latency={latency}")


def ways(fabric, schedule, hosts):
    """Rank r on ``hosts[r]``: up to the switch of a star, and down."""
    found = {}
    for flow in schedule.flows():
        up = fabric.ports(hosts[flow.src])[0]
        down = fabric.peer(fabric.ports(hosts[flow.dst])[0])
        found[flow.src, flow.dst, flow.channel] = ((up, 1.0), (down, 1.0))
    return found


def completion(schedule, count, fabric, conditions, **more):
    links = Links.of(fabric)
    job = Job.of(schedule, count, 1)
    made = plan(job, ways(fabric, schedule, fabric.hosts), {}, links, conditions)
    return simulate([made], [schedule.num_ranks], links, **more)[0]


IDEAL = Conditions.ideal()


@pytest.mark.parametrize("num_ranks", [2, 3, 8])
def test_a_ring_without_latency_is_bound_by_its_bytes(num_ranks):
    count = 840_000
    found = completion(build("ring", num_ranks), count, star(num_ranks), IDEAL)
    assert found.completion_s == pytest.approx(2 * (num_ranks - 1) / num_ranks * count * 8 / GBPS)


def test_a_ring_of_nothing_is_bound_by_its_steps():
    found = completion(build("ring", 4), 4, star(4, latency="1us"), Conditions(3e-6, 1.0, 0.0, 1.0))
    step = 3e-6 + 2e-6
    assert found.completion_s == pytest.approx(7 * step, rel=0.01)  # six steps, and the last chunk is under way


@pytest.mark.parametrize("algorithm", ["recursive-doubling", "halving-doubling"])
def test_exchanges_take_a_step_each(algorithm):
    schedule, count, turnaround = build(algorithm, 8), 800_000, 5e-6
    found = completion(schedule, count, star(8), Conditions(turnaround, 1.0, 0.0, 1.0))
    bytes_moved = 3 * count if algorithm == "recursive-doubling" else 2 * 7 / 8 * count
    assert found.completion_s == pytest.approx(bytes_moved * 8 / GBPS + schedule.num_steps * turnaround)
    assert found.rank_s == pytest.approx(np.full(8, found.completion_s))


def test_a_tree_of_copies_ends_rank_by_rank():
    copies = [(0, 0, 1), (1, 1, 2), (1, 0, 3), (2, 3, 4)]  # step, from, to
    schedule = Schedule.from_transfers(5, 1, [Transfer(step, src, dst, 0, Op.COPY) for step, src, dst in copies])
    assert not schedule.relays
    fabric = star(5)
    links = Links.of(fabric)
    made = plan(Job(schedule, np.full(4, 125_000)), ways(fabric, schedule, fabric.hosts), {}, links, IDEAL)
    found = simulate([made], [5], links)[0]
    ends = np.zeros(len(schedule))
    np.maximum.at(ends, found.transfers, found.end_s)
    by_ends = {(int(src), int(dst)): end for src, dst, end in zip(schedule.src, schedule.dst, ends, strict=True)}
    # Rank 0 turns to another peer: one after the other. Ranks 1 and 3 forward while it arrives, a segment behind.
    segment = 1e-3 / (len(found.end_s) // len(schedule))
    assert segment < 0.2e-3
    assert by_ends == pytest.approx({(0, 1): 1e-3, (1, 2): 1e-3 + segment, (0, 3): 2e-3, (3, 4): 2e-3 + segment})
    assert found.rank_s == pytest.approx([2e-3, 1e-3 + segment, 1e-3 + segment, 2e-3 + segment, 2e-3 + segment])


def test_whoever_turns_to_another_peer_lets_all_arrive_first():
    copies = [(0, 0, 1), (1, 1, 2), (2, 1, 0)]
    schedule = Schedule.from_transfers(3, 1, [Transfer(step, src, dst, 0, Op.COPY) for step, src, dst in copies])
    fabric = star(3)
    links = Links.of(fabric)
    made = plan(Job(schedule, np.full(3, 1_250_000)), ways(fabric, schedule, fabric.hosts), {}, links, IDEAL)
    found = simulate([made], [3], links)[0]
    ends = np.zeros(3)
    np.maximum.at(ends, found.transfers, found.end_s)
    segment = 1e-2 / (len(found.end_s) // 3)
    assert sorted(ends) == pytest.approx([1e-2, 1e-2 + segment, 2e-2 + segment])


def test_headers_and_acknowledgements_take_their_share():
    conditions = Conditions(0.0, 0.5, 0.0, 1.0)
    plain = completion(build("ring", 4), 400_000, star(4), IDEAL).completion_s
    assert completion(build("ring", 4), 400_000, star(4), conditions).completion_s == pytest.approx(2 * plain)

    fabric, schedule = star(4), build("ring", 4)
    links, job = Links.of(fabric), Job.of(schedule, 400_000, 1)
    there = ways(fabric, schedule, fabric.hosts)
    back = {key: tuple((fabric.peer(port), share) for port, share in reversed(way)) for key, way in there.items()}
    made = plan(job, there, back, links, Conditions(0.0, 1.0, 0.25, 1.0))
    assert simulate([made], [4], links)[0].completion_s == pytest.approx(1.25 * plain)


def test_two_jobs_share_the_links_that_they_share():
    fabric, schedule = star(4), build("ring", 2)
    links, job = Links.of(fabric), Job.of(schedule, 1_000_000, 1)
    same = plan(job, ways(fabric, schedule, fabric.hosts[:2]), {}, links, IDEAL)
    other = plan(job, ways(fabric, schedule, fabric.hosts[2:]), {}, links, IDEAL)
    alone = simulate([same], [2], links)[0].completion_s
    assert [one.completion_s for one in simulate([same, other], [2, 2], links)] == pytest.approx([alone, alone])
    assert [one.completion_s for one in simulate([same, same], [2, 2], links)] == pytest.approx([2 * alone, 2 * alone])


def test_a_short_job_leaves_the_links_to_a_long_one():
    fabric, ring, exchange = star(2), build("ring", 2), build("recursive-doubling", 2)
    links = Links.of(fabric)
    long = plan(Job.of(ring, 3_000_000, 1), ways(fabric, ring, fabric.hosts), {}, links, IDEAL)
    short = plan(Job.of(exchange, 1_000_000, 1), ways(fabric, exchange, fabric.hosts), {}, links, IDEAL)
    slow, fast = simulate([long, short], [2, 2], links)
    assert fast.completion_s == pytest.approx(2 * 8e6 / GBPS)
    assert slow.completion_s == pytest.approx(4 * 8e6 / GBPS)


def test_a_link_that_slows_down_in_the_middle():
    fabric, schedule = star(2), build("ring", 2)
    links = Links.of(fabric)
    whole = completion(schedule, 1_000_000, fabric, IDEAL).completion_s
    slower = Change(whole / 2, links.rate_bps / 4)
    found = completion(schedule, 1_000_000, fabric, IDEAL, changes=[slower])
    assert found.completion_s == pytest.approx(whole / 2 + 4 * whole / 2)


def test_a_link_that_dies_and_comes_back():
    fabric, schedule = star(2), build("ring", 2)
    links = Links.of(fabric)
    whole = completion(schedule, 1_000_000, fabric, IDEAL).completion_s
    dead, alive = Change(whole / 2, links.rate_bps * 0), Change(whole, links.rate_bps)
    assert completion(schedule, 1_000_000, fabric, IDEAL, changes=[dead, alive]).completion_s == pytest.approx(
        1.5 * whole
    )
    with pytest.raises(StalledError):
        completion(schedule, 1_000_000, fabric, IDEAL, changes=[dead])


def test_ranks_of_one_host_talk_for_nothing():
    schedule = build("ring", 2)
    made = plan(Job.of(schedule, 1_000_000, 1), {}, {}, Links.of(star(2)), IDEAL)
    assert simulate([made], [2], Links.of(star(2)))[0].completion_s == 0


def test_limits_of_single_flows_are_links_of_their_own():
    schedule = build("ring", 4)
    fabric = star(4, latency="1us")
    links = Links.of(fabric)
    made = plan(Job.of(schedule, 400, 1), ways(fabric, schedule, fabric.hosts), {}, links, Conditions(1e-6, 1, 0, 1))
    flows, limits = joined([made, made], len(links.rate_bps))
    assert len(limits) == 2
    assert flows.rows[:, -1].tolist() == [len(links.rate_bps), len(links.rate_bps) + 1]
