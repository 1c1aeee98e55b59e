"""The published sweeps: every one loads, and every line rate stands in the words of its source."""

import csv
import re
from importlib.resources import files

import pytest

from collectives.baseline import BaselineError, published

TABLES = {
    name: list(csv.DictReader((files("collectives.baseline") / f"{name}.csv").read_text().splitlines()))
    for name in ("systems", "sweeps", "line_rates")
}
SYSTEMS = {row["sweep"]: row for row in TABLES["systems"]}


def test_every_system_has_its_sweep():
    assert set(published.names()) == set(SYSTEMS) == {row["sweep"] for row in TABLES["sweeps"]}
    assert sum(len(published.load(name).points) for name in published.names()) == len(TABLES["sweeps"])


@pytest.mark.parametrize("row", TABLES["line_rates"], ids=lambda row: row["sweep"])
def test_a_line_rate_is_quoted_from_the_system_s_own_text(row):
    system = SYSTEMS[row["sweep"]]
    assert row["quote"] in system["intra" if system["nodes"] == "1" else "inter"]


@pytest.mark.parametrize("row", TABLES["line_rates"], ids=lambda row: row["sweep"])
def test_a_line_rate_is_what_its_quote_says(row):
    rate, quote = float(row["link_rate_GBps"]), row["quote"]
    stated = [float(number) for number in re.findall(r"([\d.]+) GB/s", quote)]
    products = [float(n) * float(each) for n, each in re.findall(r"(\d+) links x (\d+) GB/s", quote)]
    products += [float(n) * float(each) / 8 for n, each in re.findall(r"(\d+) x (\d+) Gb/s", quote)]
    assert rate in stated + products


def test_known_figures():
    tcp = published.load("rtx2080ti-16x1-tcp10g-allreduce-default-linear")
    assert (tcp.nranks, tcp.nominal_line_rate_GBps, tcp.collective) == (16, 1.25, "all_reduce")
    assert tcp.best().line_share == pytest.approx(0.923, abs=0.001)
    assert "10 Gb/s Ethernet" in tcp.line_rate_why
    h100 = published.load("h100-1x8-nvswitch-allreduce-dgxc")
    assert h100.nominal_line_rate_GBps == 450
    assert "NVSwitch3" in h100.network
    alltoall = published.load("a100-2x4-slingshot-alltoall-nccl2.18-polaris")
    assert alltoall.nominal_line_rate_GBps == pytest.approx(21.875)


def test_no_sweep_beats_what_physics_allows():
    for name in published.names():
        assert "is that the rate" not in published.load(name).caveat, name


def test_a_sweep_without_a_line_rate_gets_no_share():
    system = dict(SYSTEMS["v100-2x8-roce-allreduce"])
    systems = [",".join(system), ",".join(f'"{value}"' for value in system.values())]
    sweeps = ["sweep,size_bytes,time_us_out_of_place,time_us_in_place", "v100-2x8-roce-allreduce,8,2.5,"]
    found = published.parse(systems, sweeps, ["sweep,link_rate_GBps,link,quote,why"])["v100-2x8-roce-allreduce"]
    assert found.nominal_line_rate_GBps is None
    assert found.best().line_share is None
    assert "does not state" in found.line_rate_why


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("h100-2x8", "did you mean 'h100-2x8-efa3200-allreduce-p5' or 'h100-2x8-ndr-ib-allreduce-nebius'?"),
        ("v100-2x8-rocce-allreduce", "did you mean 'v100-2x8-roce-allreduce'?"),
        ("tpu", "see: ringlab baseline list"),
        ("", "see: ringlab baseline list"),
    ],
)
def test_a_name_that_is_not_there_gets_a_hint(wanted, hint):
    with pytest.raises(BaselineError) as error:
        published.load(wanted)
    assert hint in str(error.value)
