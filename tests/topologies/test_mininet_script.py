"""The script is run by Mininet itself: its Topo in every test run, the whole ``mn`` where there is root."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from topologies import addressing
from topologies.fabric import Cable, Fabric, FabricError, Link, Port
from topologies.leaf_spine import leaf_spine
from topologies.mininet_script import dumps, fitting_scale, switch_names
from topologies.ring import ring

PAIRS = [("h1", "s1"), ("h1", "s2"), ("h2", "s1"), ("h2", "s2"), ("s1", "s2")]
RAILS = Fabric.cabled("rails", ["h1", "h2"], ["s1", "s2"], [Cable(a, b, 10**9) for a, b in PAIRS])


def topo(fabric: Fabric, text: str | None = None, **params: float):
    names: dict[str, object] = {}
    exec(compile(text or dumps(fabric), "fabric.py", "exec"), names)  # as mn does it
    return names["topos"]["fabric"](**params)


@pytest.mark.parametrize("fabric", [leaf_spine(3, 2, 2, links=2), ring(4, 1), RAILS])
def test_mininet_gets_the_same_nodes_and_links(fabric):
    made = topo(fabric)
    assert made.hosts() == sorted(fabric.hosts)
    assert made.switches() == sorted(fabric.switches)
    for host in fabric.hosts:
        assert made.nodeInfo(host) == {"ip": f"{addressing.ip(fabric, host)}/12", "mac": addressing.mac(fabric, host)}
    for switch in fabric.switches:
        assert int(made.nodeInfo(switch)["dpid"], 16) == addressing.dpid(fabric, switch)
    ends = {(info["node1"], info["port1"], info["node2"], info["port2"]) for *_, info in made.links(withInfo=True)}
    assert ends == {(link.a.node, link.a.number, link.b.node, link.b.number) for link in fabric.links}


def test_rates_are_divided_so_that_mininet_shapes_them():
    fabric = leaf_spine(2, 1, 1, host_rate_bps=25 * 10**9, fabric_rate_bps=100 * 10**9)
    infos = [info for *_, info in topo(fabric).links(withInfo=True)]
    assert {(info["bw"], info["delay"]) for info in infos} == {(250.0, "100.000us"), (1000.0, "100.000us")}
    slower = [info for *_, info in topo(fabric, scale=1000, delay=0, offload=0).links(withInfo=True)]
    assert {(info["bw"], info["delay"], info["txo"]) for info in slower} == {(25.0, None, False), (100.0, None, False)}


@pytest.mark.parametrize(("rate_bps", "scale"), [(1, 1), (10**9, 1), (10**9 + 1, 2), (25 * 10**9, 50), (10**15, 10**6)])
def test_the_scale_is_the_least_that_fits(rate_bps, scale):
    assert fitting_scale(Fabric.cabled("n", ["h1"], ["s1"], [Cable("h1", "s1", rate_bps)])) == scale


def test_a_scale_too_small_is_refused_here_and_in_the_script():
    with pytest.raises(FabricError, match=r"scale 10: 100Gb/s would not fit 1000 Mb/s; give at least 100"):
        dumps(ring(3, 1), 10)
    with pytest.raises(
        SystemExit, match="link h1-s1: 10000 Mb/s is more than Mininet shapes; give a scale of at least 100"
    ):
        topo(ring(3, 1), scale=10)
    assert "def build(self, scale=250," in dumps(ring(3, 1), 250)


def test_further_nics_have_addresses_of_their_own():
    infos = [info for *_, info in topo(RAILS).links(withInfo=True)]
    second = {info["params1"]["ip"]: info["addr1"] for info in infos if info["params1"]["ip"]}
    assert second == {
        f"{addressing.ip(RAILS, host, 1)}/12": addressing.mac(RAILS, host, 1) for host in ("h1", "h2")
    }  # fmt: skip


def test_names_that_linux_does_not_take_are_shortened():
    long = Fabric.cabled(
        "n", ["a-host-of-some-length"], ["c0", "a-switch-of-length", "s2"],
        [Cable("a-host-of-some-length", "c0", 1), Cable("c0", "a-switch-of-length", 1), Cable("s2", "c0", 1)],
    )  # fmt: skip
    assert switch_names(long) == {"c0": "s1", "a-switch-of-length": "s2x", "s2": "s2"}
    assert "# The switch c0 is s1 here" in dumps(long)
    made = topo(long)
    names = [info[key] for *_, info in made.links(withInfo=True) for key in ("intfName1", "intfName2")]
    assert max(map(len, [*names, *made.switches()])) <= 15
    assert len(set(names)) == 6


def test_no_name_breaks_out_of_its_place():
    links = (Link('"""\n\\{0}\'; import os #', Port("h1", 1), Port("s1", 1), 10**9, 0.0),)
    fabric = Fabric('evil\n"""\nraise SystemExit(3)', ("h1",), ("s1",), links)
    assert topo(fabric).hosts() == ["h1"]


def test_the_script_leaves_mn_s_own_names_alone():
    names: dict[str, object] = {}
    exec(dumps(ring(3, 1)), names)
    assert names.keys() - {"__builtins__"} == {"TCLink", "Topo", "Fabric", "topos"}


CLEANS_NOTHING = """
import runpy, sys
import mininet.clean
mininet.clean.cleanup = lambda: sys.exit("mn wanted to clean the whole machine")
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def mn(script: Path, *words: str) -> str:
    """Run ``mn``, unchanged but for this: on an error it would remove every bridge of the machine, not its own."""
    program = Path(sys.executable).with_name("mn")
    line = [sys.executable, "-c", CLEANS_NOTHING, str(program), "--custom", str(script), *words]
    done = subprocess.run(line, cwd=script.parent, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.root
def test_mn_builds_the_fabric_and_its_hosts_reach_each_other(tmp_path, nothing_left):
    # Mininet asks for netem where there is a latency; not every kernel has it.
    rates = {"host_rate_bps": 10**10, "fabric_rate_bps": 5 * 10**9}
    fabric = leaf_spine(2, 1, 1, **rates, host_latency_s=0.0, fabric_latency_s=0.0)
    (tmp_path / "fabric.py").write_text(dumps(fabric, 1000))
    (tmp_path / "look").write_text(
        "py [(i.name, i.mac, i.ip) for h in net.hosts for i in h.intfList()]\n"
        "py [(s.name, int(s.dpid, 16), sorted(s.ports.values())) for s in net.switches]\n"
        "sh tc class show dev leaf2-eth2\n"
    )
    out = mn(
        tmp_path / "fabric.py", "--topo", "fabric,offload=0", "--controller", "none", "--switch", "ovsbr,datapath=user",
        "--arp", "--pre", str(tmp_path / "look"), "--test", "pingall",
    )  # fmt: skip
    assert "[('h1-eth1', '02:00:0a:00:00:01', '10.0.0.1'), ('h2-eth1', '02:00:0a:00:00:02', '10.0.0.2')]" in out
    assert "[('leaf1', 1, [0, 1, 2]), ('leaf2', 2, [0, 1, 2]), ('spine1', 3, [0, 1, 2])]" in out
    assert re.search(r"htb .*rate 5Mbit ceil 5Mbit", out)
    assert "Results: 0% dropped (2/2 received)" in out


@pytest.mark.root
def test_each_nic_of_a_host_has_its_address_in_mn(tmp_path, nothing_left):
    (tmp_path / "fabric.py").write_text(dumps(RAILS))
    (tmp_path / "reach").write_text("h1 ping -c 1 -W 2 10.0.0.2\nh1 ping -c 1 -W 2 -I h1-eth2 10.16.0.2\n")
    out = mn(
        tmp_path / "fabric.py", "--topo", "fabric,offload=0", "--controller", "none", "--switch", "ovsbr,datapath=user",
        "--test", "none", "--post", str(tmp_path / "reach"),
    )  # fmt: skip
    assert "64 bytes from 10.0.0.2" in out
    assert "64 bytes from 10.16.0.2" in out
