"""NCCL's model beyond what was printed: versions, graphs, crossovers, bad input, and what it says of real machines."""

import statistics
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectives.baseline import published
from collectives.baseline.nccl import (
    COLLECTIVES,
    Graph,
    NcclError,
    System,
    cells,
    choose,
    crossovers,
    find,
    nccl_time,
)
from collectives.baseline.nccl.graphs import Hardware, system_of
from collectives.baseline.nccl.published import forced_algorithm, gpu_of, is_gpu, nccl_system, nccl_version, nics_of

A100X8 = Hardware("8 A100", "ampere", 1, 8, 240, nvswitch=True)
H100X8 = Hardware("8 H100", "hopper", 1, 8, 18 * 20.6, nvswitch=True)


@pytest.mark.parametrize(
    ("wanted", "tables", "note"),
    [
        ("2.18.5", "2.18", ""),
        ("2.21", "2.18", ""),
        ("2.26.2", "2.23", ""),
        ("2.29.7", "2.28", ""),
        ("2.4.7", "2.6", "2.4.7 is older than all known: constants of 2.6, the oldest known"),
        ("2.35", "2.28", "no constants of 2.35 known: those of 2.30, the nearest older"),
        (None, "2.28", "version not stated: constants of 2.28 to 2.30"),
    ],
)
def test_a_version_finds_its_constants_or_the_nearest_older(wanted, tables, note):
    found = find(wanted)
    assert (found.tables.name, found.note) == (tables, note)


@pytest.mark.parametrize(
    ("hardware", "ring", "tree"),
    [
        (A100X8, (12, 20, 20), (12, 20, 20)),
        (H100X8, (12, 30, 30), (12, 30, 30)),
        (replace(H100X8, nodes=2, nics=8, nic_GBps=50), (8, 45, 45), (8, 45, 45)),
        (Hardware("GH200", "hopper", 4, 4, 18 * 20.6, 4, 25), (4, 24, 24), (4, 48, 24)),
        (Hardware("Polaris", "ampere", 2, 4, 240, 2, 25), (2, 24, 24), (2, 48, 24)),
        (Hardware("10GbE", "volta", 16, 1, 0, 1, 1.25), (1, 1.2, 1.2), (1, 2.4, 1.2)),
    ],
    ids=lambda value: value.name if isinstance(value, Hardware) else "",
)
def test_the_search_finds_the_known_graphs(hardware, ring, tree):
    system = system_of(hardware)
    assert (system.ring, system.tree) == (Graph(*ring), Graph(*tree))


def test_nvls_of_eight_h100():
    assert system_of(H100X8).nvls == Graph(8, 40, 60)
    assert choose(system_of(H100X8), "all_reduce", 1 << 30, "2.29").algorithm == "NVLS"
    assert {c.algorithm for c in cells(find("2.16").tables, system_of(H100X8), "all_reduce")} == {"Ring", "Tree"}


GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("a100-4x8-hdr-ib-allreduce", 0.03),
        ("gh200-16x4-slingshot11-allreduce-ofi192", 0.05),
        ("gh200-1x4-slingshot11-allreduce-ofi192", 0.07),
        ("h100-1x8-nvswitch-allreduce-dgxc", 0.02),
        ("h100-2x8-ndr-ib-allreduce-nebius", 0.02),
        ("h100-2x8-efa3200-allreduce-p5", 0.06),
        ("mi300x-1x8-xgmi-allreduce", 0.05),
        ("b200-2x8-roce3200-allreduce-a4", 0.15),
    ],
)
def test_large_sizes_of_real_machines_are_near(name, within):
    """From 1 GiB on the model needs nothing but the links' rates: it must be near what was measured."""
    baseline = published.load(name)
    system = nccl_system(baseline)
    errors = [
        nccl_time(system, baseline.collective, point.size_bytes, nccl_version(baseline)) / point.time_us - 1
        for point in baseline.points
        if point.size_bytes >= GIB
    ]
    assert abs(statistics.median(errors)) <= within


def test_every_published_gpu_sweep_has_a_system():
    for name in published.names():
        baseline = published.load(name)
        if is_gpu(baseline):
            assert nccl_system(baseline).ranks == baseline.nranks
        else:
            assert "Open MPI" in baseline.library


def test_what_a_sweep_s_words_say():
    tree = published.load("rtx2080ti-16x1-tcp10g-allreduce-tree-linear")
    assert forced_algorithm(tree) == "Tree"
    assert nccl_version(tree) == "2.6.4"
    assert nics_of(published.load("h100-2x8-efa3200-allreduce-p5"), 8) == (8, 50.0)
    assert nics_of(published.load("gh200-4x4-slingshot11-allreduce-ofi192"), 4) == (4, 25.0)
    assert gpu_of("Tesla T4").nvlink_GBps == 0
    with pytest.raises(NcclError, match="TPU"):
        gpu_of("TPU v5")


@given(
    st.integers(1, 5),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(COLLECTIVES),
    st.sampled_from(["2.6", "2.12", "2.18", "2.23", "2.29"]),
)
def test_terms_sum_up_and_the_choice_is_the_least(nodes, gpus, collective, version):
    hardware = replace(A100X8, nodes=nodes, gpus_per_node=gpus, nics=max(1, gpus // 2), nic_GBps=25)
    if nodes * gpus < 2:
        return
    system, tables = system_of(hardware), find(version).tables
    for cell in cells(tables, system, collective):
        assert cell.latency_us == pytest.approx(sum(term.count * term.each_us for term in cell.latency))
        # 2.12 to 2.22 count 2N steps between nodes; of lone GPUs that is more than all steps, and NCCL does not mind.
        assert all(term.count >= 0 for term in cell.latency) or (tables.spare_inter_steps and gpus == 1)
        assert cell.bandwidth_GBps in {0.0, cell.bandwidth[-1].GBps}
    for size in (1, 4096, 1 << 20, 1 << 30):
        least = choose(system, collective, size, version)
        assert least.time_us > 0
        assert least.channels >= 1
        for cell in cells(tables, system, collective):
            if cell.bandwidth_GBps:
                assert least.time_us <= nccl_time(system, collective, size, version, cell.algorithm) + 1e-9


def test_crossovers_are_to_the_byte():
    system = system_of(replace(A100X8, nodes=4, nics=8, nic_GBps=25))
    found = crossovers(system, "all_reduce", "2.29")
    assert [(x.algorithm, x.protocol) for x in found] == [
        ("Tree", "LL"), ("Tree", "LL128"), ("Ring", "LL128"), ("Ring", "Simple"),
    ]  # fmt: skip
    for before, after in pairwise(found):
        pairs = [choose(system, "all_reduce", size, "2.29") for size in (after.size_bytes - 1, after.size_bytes)]
        assert [(p.algorithm, p.protocol) for p in pairs] == [
            (before.algorithm, before.protocol), (after.algorithm, after.protocol),
        ]  # fmt: skip


def test_fewer_channels_for_small_calls():
    system = system_of(A100X8)
    assert choose(system, "all_reduce", 8).channels == 1
    assert choose(system, "all_reduce", 1 << 30).channels == 24


def test_what_a_plugin_says_of_its_latency_is_added_twice_where_simple_flushes():
    plain = system_of(replace(A100X8, nodes=2, nics=4, nic_GBps=12.5))
    efa = replace(plain, net_latency_us=75.0)

    def latency(system, version, protocol):
        found = cells(find(version).tables, system, "all_gather")
        return next(c.latency_us for c in found if (c.algorithm, c.protocol) == ("Ring", protocol))

    assert latency(efa, "2.29", "LL") - latency(plain, "2.29", "LL") == pytest.approx(75)
    assert latency(efa, "2.29", "Simple") - latency(plain, "2.29", "Simple") == pytest.approx(150)
    assert latency(efa, "2.16", "LL") - latency(plain, "2.16", "LL") == pytest.approx(75 - 2.7)
    assert latency(efa, "2.8", "LL") == latency(plain, "2.8", "LL")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: nccl_time(system_of(A100X8), "all_reduc", 8), "did you mean 'all_reduce'"),
        (lambda: nccl_time(system_of(A100X8), "all_reduce", 0), "must be above 0 bytes"),
        (lambda: nccl_time(system_of(A100X8), "all_reduce", 8, "two"), "write it as 2.18"),
        (lambda: nccl_time(system_of(A100X8), "all_reduce", 8, None, "Rung"), "there are Tree, Ring"),
        (lambda: system_of(replace(A100X8, nodes=2)), "need NICs"),
        (lambda: system_of(replace(A100X8, arch="kepler")), "no architecture 'kepler'"),
        (lambda: system_of(replace(A100X8, nodes=2, nics=1, nic_GBps=0.01)), "too slow"),
        (lambda: system_of(replace(A100X8, gpus_per_node=1)), "NCCL needs 2 or more"),
        (lambda: Graph(0, 1, 1), "above 0"),
        (lambda: System("x", "volta", 2, 1, Graph(1, 1, 1), Graph(1, 1, 1), cpu="arm"), "no CPU 'arm'"),
        (lambda: System("x", "volta", 2, 1, Graph(1, 1, 1), Graph(1, 1, 1), intra="QPI"), "NVLINK or PCI"),
    ],
)
def test_bad_input_is_one_clear_error(wrong, message):
    with pytest.raises(NcclError, match=message):
        wrong()
