"""A folder with all the files that documents and examples name, each made by the program that makes such files."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from documents import REPOSITORY, bash

CONTAINERLAB = """\
name: lab
topology:
  nodes:
    h1: {kind: linux, image: "alpine:3"}
    h2: {kind: linux, image: "alpine:3"}
    s1: {kind: ovs-bridge}
  links:
    - endpoints: ["h1:eth1", "s1:eth1"]
    - endpoints: ["h2:eth1", "s1:eth2"]
"""
ZOO = """\
<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <graph edgedefault="undirected">
    <node id="a"/><node id="b"/><node id="c"/>
    <edge source="a" target="b"/><edge source="b" target="c"/><edge source="c" target="a"/>
  </graph>
</graphml>
"""
"""Switches alone, as the Topology Zoo has them."""

RUN = "20260314T150926Z-leaf-spine-3f7a"
"""The run that examples name."""


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests of one process share it as a model: ``a_bench`` copies it."""
    folder = tmp_path_factory.mktemp("bench")
    for name in ("examples", "deploy", "benchmarks"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "lab.clab.yml").write_text(CONTAINERLAB)
    (folder / "c.clab.yml").write_text(CONTAINERLAB)
    (folder / "zoo.graphml").write_text(ZOO)
    fabric = "leaf-spine:leaves=4,spines=2,hosts=2"
    alone = tmp_path_factory.getbasetemp().parent / "ranks.lock"  # ranks of two workers would meet at one port
    for command in (
        f"ringlab topo show {fabric} --yaml > fabric.yaml; cp fabric.yaml a.yaml",
        f"ringlab topo convert {fabric} -o b.graphml",
        f"ringlab topo convert {fabric} -o fat_tree.topo",
        "ringlab schedule ring -n 8 --goal ring.goal > /dev/null",
        f"ringlab replay ring.goal --fabric {fabric} --cm perm.cm > /dev/null",
        "ringlab run examples/leaf-spine.yaml --backend simulated --json result.json > /dev/null",
        f"mv runs/* runs/{RUN}",
        "ringlab capture roce --queue-pairs 4 --seed 7 --src h1 --dst h5 -w roce.pcap > /dev/null",
        "cp roce.pcap link.pcap",
        "for name in ada bob; do mkdir -p students/$name; ringlab exercise start 2 --to students/$name/$STARTED; done",
        "ringlab exercise start 1; ringlab exercise start 2; cp -r students class",
        "sed '/arms:/,$d' examples/leaf-spine.yaml > today.yaml; echo 'arms: [pinned]' >> today.yaml",
        "sed 's/name: leaf-spine/name: proposed/; s/spines=2/spines=4/' today.yaml > proposed.yaml",
        f"flock {alone} python -m collectives all_reduce --ranks 2 -b 1K -e 4K -f 2 > all_reduce_perf.log",
    ):
        done = bash(command.replace("$STARTED", "02-write-ring-allreduce"), folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
    return folder


@pytest.fixture(scope="session")
def a_bench(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A copy of its own for who may change it."""

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("copy") / "bench"
        shutil.copytree(bench, folder)
        return folder

    return copy


@pytest.fixture
def servers() -> Iterator[list[subprocess.Popen[str]]]:
    """Background processes of a document, ended with it."""
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
