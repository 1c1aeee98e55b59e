import json

import pytest

from ringlab.cli import main

GH200 = "gh200-4x4-slingshot11-allreduce-ofi192"


def shown(capsys, *words):
    assert main(list(words)) == 0
    return capsys.readouterr().out


def said(capsys, *words):
    assert main(list(words)) == 2
    return capsys.readouterr().err


def test_a_published_sweep_stands_beside_its_prediction(capsys):
    data = json.loads(shown(capsys, "predict", GH200, "--size", "8", "--size", "1G", "--json", "-"))
    assert data["ranks"] == 16
    assert data["network"]["evidence"] == "network"
    small, large = data["sizes"]
    assert (small["published_us"], large["published_us"]) == (30.72, 22093.0)
    for row in data["sizes"]:
        assert row["low_us"] < row["time_us"] < row["high_us"]
    assert large["time_us"] == pytest.approx(large["published_us"], rel=0.1)


def test_other_nodes_have_nothing_published(capsys):
    data = json.loads(shown(capsys, "predict", GH200, "--nodes", "8", "--size", "8", "--json", "-"))
    assert (data["nodes"], data["ranks"], data["sizes"][0]["published_us"]) == (8, 32, None)


def test_for_people(capsys):
    out = shown(capsys, "predict", "dgx-h100-4", "--size", "1M", "--collective", "all_gather")
    assert "dgx-h100-4: all_gather, 4 nodes x 8 = 32 ranks, NVIDIA DGX H100" in out
    assert "fitted to sweeps of" in out
    assert "NCCL expects" in out


def test_a_system_of_the_catalogue_shares_the_figures_of_a_sweep_measured_on_it(capsys):
    ours = json.loads(shown(capsys, "predict", "alps-gh200-4", "--size", "8", "--nccl", "2.23", "--json", "-"))
    sweep = json.loads(shown(capsys, "predict", GH200, "--size", "8", "--json", "-"))
    assert ours["network"]["fitted_on"] == sweep["network"]["fitted_on"]
    assert ours["sizes"][0]["time_us"] == pytest.approx(sweep["sizes"][0]["time_us"])
    unknown = json.loads(shown(capsys, "predict", "gcp-a3-mega-2", "--size", "8", "--json", "-"))
    assert unknown["network"]["evidence"] == "default"


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_figure(capsys, tmp_path, kind):
    target = tmp_path / f"p.{kind}"
    shown(capsys, "predict", GH200, "--plot", str(target))
    content = target.read_bytes()
    assert len(content) > 5000
    if kind == "svg":
        assert b"predicted busbw by size" in content


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "dgx-h10"), "did you mean 'dgx-h100'?"),
        (("predict", "nothing"), "see: ringlab topo systems, ringlab baseline list"),
        (("predict", "dgx-h100-4", "--nodes", "8"), "says 4 nodes, and --nodes 8"),
        (("predict", "dgx-h100-0"), "0 nodes; a system has from 1"),
        (("predict", GH200, "--nodes", "1"), "take another system"),
        (("predict", GH200, "--size", "many"), "--size: 'many' is no size"),
        (("predict", GH200, "--size", "0"), "must be above 0 bytes"),
        (("predict", GH200, "--collective", "all_reduc"), "did you mean 'all_reduce'?"),
        (("predict", GH200, "--nccl", "new"), "write it as 2.18"),
        (("predict", GH200, "--plot", "p.gif"), "ends in .svg, .png, .pdf"),
        (("predict", "hkbu-100g-4"), "has no GPUs"),
        (("explain", "nccl", "dgx-h100-4", "--collective", "alltoall"), "NCCL's model has no 'alltoall'"),
        (("explain", "nccl", "cpu-16x1-10g-ompi-allreduce-run1"), "NCCL did not run"),
        (("explain", "nccl", "dgx-h10"), "did you mean 'dgx-h100'?"),
    ],
)
def test_bad_input_is_one_clear_error(capsys, words, message):
    assert message in said(capsys, *words)


def test_nccl_is_explained(capsys):
    out = shown(capsys, "explain", "nccl", "dgx-h100-4", "--nccl", "2.29")
    assert "Tree      35.2/10.2  65.5/116.0   120.4/144.0" in out
    assert "35.2 us = 6.8 base + 14 x 0.6 hop inside + 4 x 5 hop between nodes" in out
    assert "NVLSTree Simple  16" in out


def test_nccl_as_data(capsys):
    data = json.loads(shown(capsys, "explain", "nccl", "hkbu-10g-16", "--nccl", "2.6.4", "--json", "-"))
    assert data["constants"] == {"from": "2.6", "until": "2.7", "note": ""}
    for cell in data["cells"]:
        assert cell["latency_us"] == pytest.approx(sum(term["count"] * term["each_us"] for term in cell["latency"]))
    assert [row["protocol"] for row in data["choice"]][:2] == ["LL", "Simple"]
    assert data["system"]["ranks"] == 16


def test_explain_nccl_has_help_of_its_own(capsys):
    assert "ringlab explain nccl dgx-h100-4" in shown(capsys, "explain", "nccl", "--help")
    assert "SPEC|FABRIC" in shown(capsys, "explain", "--help")
