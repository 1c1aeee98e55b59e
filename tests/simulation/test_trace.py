"""Traces on fabrics: times that are known in closed form, matches that must be, and nothing that is left hanging."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.algorithms import OPERATIONS, build
from collectives.interchange import goal
from collectives.interchange.goal_reader import read
from collectives.interchange.trace import Calculation, Collective, Receive, Send, Trace, TraceError
from collectives.job import demands
from collectives.schedule import ScheduleError
from controller.routing import policy
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.trace import of_matrix, of_trace, simulate
from topologies import htsim_traffic
from topologies.leaf_spine import leaf_spine
from topologies.star import star
from topologies.traffic import link_bytes

RATE = 100 * 10**9
LATENCY_S = 1e-6
STAR = star(8)


def run(trace, fabric=STAR, chosen=None, routing="shortest", conditions=None):
    work = of_trace(trace, fabric.hosts[: len(trace.ranks)], chosen)
    paths = policy(routing).route(fabric, work.demands())
    return simulate(work, paths, Links.of(fabric), conditions or Conditions.ideal())


def of_goal(text, **options):
    return run(read(text, "f"), **options)


@pytest.mark.parametrize(("num_ranks", "chunk"), [(2, 10**6), (4, 10**6), (8, 12_500)])
def test_a_ring_of_goal_takes_its_closed_form(num_ranks, chunk):
    """2(N-1) steps of S/N bytes at the links' rate, each with the latency of its way of two links."""
    text = goal.write(build("ring", num_ranks), num_ranks * chunk, 1)
    found = of_goal(text)
    assert found.completion_s == pytest.approx(2 * (num_ranks - 1) * (8 * chunk / RATE + 2 * LATENCY_S), rel=1e-9)
    assert found.rank_s == pytest.approx([found.completion_s] * num_ranks)
    slow = of_goal(text, conditions=Conditions(turnaround_s=5e-6))
    assert slow.completion_s == pytest.approx(found.completion_s + 2 * (num_ranks - 1) * 5e-6, rel=1e-9)


def test_waits_are_kept_and_links_are_shared():
    """Two messages to one rank share its link; a third goes after a calculation after the first."""
    found = of_goal("""\
num_ranks 3
rank 0 {
a: send 1000000b to 2 tag 0
b: calc 50000
b requires a
c: send 1000000b to 2 tag 1
c requires b
}
rank 1 {
send 1000000b to 2
}
rank 2 {
recv 1000000b from 0 tag 1
recv 1000000b from 0 tag 0
recv 1000000b from 1
}
""")
    together, alone, way = 160e-6, 80e-6, 2 * LATENCY_S
    first = way + together
    assert found.rank_s[1] == pytest.approx(first)
    assert found.rank_s[0] == pytest.approx(first + 50e-6 + way + alone)
    assert found.rank_s[2] == pytest.approx(found.rank_s[0])


def test_irequires_waits_for_a_start_alone():
    text = """\
num_ranks 2
rank 0 {
a: calc 10000
b: send 1000000b to 1
b requires a
c: calc 1000
c irequires b
d: calc 1000
d requires b
}
rank 1 {
recv 1000000b from 0
}
"""
    found = of_goal(text)
    sent = 10e-6 + 2e-6 + 80e-6
    ends = np.sort(found.end_s)
    assert ends == pytest.approx([10e-6, 11e-6, sent, sent + 1e-6])


@pytest.mark.parametrize("comm", ["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast"])
def test_a_collective_is_its_schedule(comm):
    """The same messages as the schedule's own GOAL, and the same end on links of its own."""
    ranks = tuple(range(8))
    one = Collective(place="t", operation=comm, ranks=ranks, nbytes=8 * 10**6)
    found = run(Trace(tuple((one,) for _ in ranks)))
    name = next(iter(OPERATIONS[comm]))
    same = of_goal(goal.write(build(name, 8, operation=comm), 8 * 10**6, 1))
    assert found.link_bytes == same.link_bytes
    assert found.completion_s == pytest.approx(same.completion_s, rel=1e-6)


def test_a_collective_begins_with_its_last_rank_and_ends_before_what_waits_for_it():
    one = Collective(place="t", operation="all_reduce", ranks=(0, 1), nbytes=2 * 10**6)
    late = (Calculation(place="t", duration_s=1e-3), Collective(**{**_fields(one), "after": (0,)}))
    early = (one, Calculation(place="t", duration_s=5e-4, after=(0,)))
    found = run(Trace((early, late)))
    done = 1e-3 + 2 * (80e-6 + 2 * LATENCY_S)
    assert found.rank_s == pytest.approx([done + 5e-4, done])


def _fields(one):
    return {name: getattr(one, name) for name in ("place", "operation", "ranks", "nbytes", "root", "after", "beside")}


def test_a_barrier_and_a_group_of_one_cost_nothing():
    barrier = Collective(place="t", operation="barrier", ranks=(0, 1), nbytes=0, after=(0,))
    alone = Collective(place="t", operation="all_reduce", ranks=(0,), nbytes=100, after=(1,))
    found = run(
        Trace((
            (Calculation(place="t", duration_s=2e-3), barrier, alone),
            (Calculation(place="t", duration_s=1e-3), barrier, Calculation(place="t", duration_s=1e-3, after=(1,))),
        ))
    )  # fmt: skip
    assert found.rank_s == pytest.approx([2e-3, 3e-3])
    assert not found.link_bytes


def test_the_algorithm_can_be_chosen():
    one = Collective(place="t", operation="all_reduce", ranks=tuple(range(4)), nbytes=4000)
    trace = Trace(((one,),) * 4)
    fast = run(trace, chosen={"all_reduce": "recursive-doubling"})
    assert fast.completion_s == pytest.approx(2 * (8 * 4000 / RATE + 2 * LATENCY_S))
    with pytest.raises(TraceError, match="t: no algorithm 'rinq'"):
        run(trace, chosen={"all_reduce": "rinq"})


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(op, name) for op, makers in OPERATIONS.items() for name in makers]),
    st.integers(2, 8), st.integers(1, 5000), st.sampled_from(["ecmp:seed=1", "pinned"]),
)  # fmt: skip
def test_bytes_per_link_are_the_job_s(made, num_ranks, count, routing):
    """GOAL there and back moves over each link what the job's demands do, to the byte, on any paths."""
    operation, name = made
    fabric = leaf_spine(4, 2, 2)
    try:
        schedule = build(name, num_ranks, operation=operation)
    except ScheduleError:
        return
    hosts = fabric.hosts[:num_ranks]
    work = of_trace(read(goal.write(schedule, count, 4)), hosts)
    asked = demands(schedule, hosts, count, 4)
    pairs = Counter()
    for demand in asked:
        pairs[demand.key.src, demand.key.dst] += demand.nbytes
    assert {(d.key.src, d.key.dst): d.nbytes for d in work.demands()} == {pair: n for pair, n in pairs.items() if n}
    paths = policy(routing).route(fabric, work.demands())
    found = simulate(work, paths, Links.of(fabric))
    assert found.link_bytes == link_bytes(work.demands(), paths)
    assert np.isfinite(found.end_s).all()


def test_ranks_of_one_host_cross_nothing():
    trace = read("num_ranks 2\nrank 0 {\nsend 5b to 1\n}\nrank 1 {\nrecv 5b from 0\n}\n")
    work = of_trace(trace, ("h1", "h1"))
    assert work.keys == ()
    assert simulate(work, {}, Links.of(STAR)).rank_s.tolist() == [0.0, 0.0]


def _two(sender, receiver):
    return f"num_ranks 2\nrank 0 {{\n{sender}\n}}\nrank 1 {{\n{receiver}\n}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_two("calc 0", "recv 5b from 0 tag 3"), "f:6: rank 1 waits for a message from rank 0 with tag 3 that nobody"),
        (_two("send 5b to 1 tag 3", "calc 0"), "f:3: rank 0 sends to rank 1 with tag 3, which has no receive left"),
        (_two("send 5b to 1", "recv 5b from 0 tag 1"), "f:3: rank 0 sends to rank 1 with tag 0, which has no receive"),
        (_two("send 5b to 1", "recv 4b from 0"), "f:6: rank 1 takes 4 bytes of a message of 5 (f:3); make them one"),
        (_two("a: calc 1\nb: calc 1\na requires b\nb requires a", "calc 0"), "waits for its own end; break the circle"),
        (
            _two(
                "a: recv 1b from 1\nb: send 1b to 1\nb requires a",
                "a: recv 1b from 0\nb: send 1b to 0\nb requires a",
            ),
            "waits for its own end; break the circle",
        ),
    ],
)
def test_what_would_hang_is_refused_with_its_place(text, said):
    with pytest.raises(TraceError) as caught:
        of_goal(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith("f:")


def _joint(**other):
    one = {"place": "a", "operation": "all_reduce", "ranks": (0, 1), "nbytes": 8}
    return Trace(((Collective(**one),), (Collective(**{**one, "place": "b", **other}),)))


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        (_joint(nbytes=9), "b: rank 1 has nbytes 9, and a has 8; ranks of a collective must agree"),
        (_joint(operation="all_gather"), "b: rank 1 has operation all_gather, and a has all_reduce"),
        (_joint(ranks=(1,)), "a: rank 1 has no all_reduce number 1 of this group; write it there"),
    ],
)
def test_collectives_that_do_not_agree_are_refused(trace, said):
    with pytest.raises(TraceError) as caught:
        run(trace)
    assert str(caught.value) == said or str(caught.value).startswith(said)


def test_sends_of_one_tag_meet_receives_in_their_order():
    trace = Trace((
        (Send(place="a", peer=1, nbytes=10**6), Send(place="b", peer=1, nbytes=10, after=(0,))),
        (Receive(place="c", peer=0, nbytes=10**6), Receive(place="d", peer=0, nbytes=10)),
    ))  # fmt: skip
    assert run(trace).rank_s[1] == pytest.approx(80e-6 + 0.8e-9 + 4 * LATENCY_S)
    with pytest.raises(TraceError, match=r"^d: rank 1 takes 10 bytes of a message of 1000000 \(a\)"):
        run(Trace((trace.ranks[0], trace.ranks[1][::-1])))


def test_a_matrix_starts_late_and_waits_for_its_triggers():
    """h1 to h2, then (all of it there) h2 to h3; and h4 to h1 from 5 us on, beside them."""
    text = (
        "Nodes 4\nConnections 3\nTriggers 1\n0->1 id 1 start 0 size 1000000 send_done_trigger 1\n"
        "1->2 id 2 trigger 1 size 1000000\n3->0 id 3 start 5000000 size 500000\ntrigger id 1 oneshot\n"
    )
    work = of_matrix(htsim_traffic.loads(text), STAR)
    found = simulate(work, policy("shortest").route(STAR, work.demands()), Links.of(STAR))
    assert found.end_s == pytest.approx([82e-6, 164e-6, 5e-6 + 42e-6])
    assert found.rank_s[:4] == pytest.approx([82e-6, 164e-6, 164e-6, 47e-6])


def test_htsim_s_own_ring_takes_the_time_that_htsim_gives_it():
    """Its generator's matrix for a ring of 16 in order, 4 MiB a step; there 10,774 us with RoCE, 10,784 us with UEC."""
    ranks, steps = 16, 31
    lines, triggers = [], []
    for chain in range(ranks):
        for step in range(steps):
            number = chain * (steps - 1) + step
            start = f"trigger {number}" if step else "start 0"
            more = f" send_done_trigger {number + 1}" if step < steps - 1 else ""
            src = (chain + step) % ranks
            ident = chain * steps + step + 1
            lines.append(f"{src}->{(src + 1) % ranks} id {ident} {start} size {4 << 20}{more}")
            triggers += [f"trigger id {number} oneshot"] if step else []
    head = [f"Nodes {ranks}", f"Connections {len(lines)}", f"Triggers {len(triggers)}"]
    matrix = htsim_traffic.loads("\n".join([*head, *lines, *triggers]))
    fabric = leaf_spine(4, 4, 4, host_latency_s=2e-6, fabric_latency_s=2e-6)
    work = of_matrix(matrix, fabric)
    paths = policy("ecmp:seed=1").route(fabric, work.demands())
    found = simulate(work, paths, Links.of(fabric), Conditions(turnaround_s=5.5e-6))
    assert found.completion_s == pytest.approx(10_774e-6, rel=0.015)
    assert found.completion_s == pytest.approx(10_784e-6, rel=0.015)
