import json

from ringlab.cli import main
from topologies import systems


def test_systems_are_listed(capsys):
    assert main(["topo", "systems"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(systems.names())
    (line,) = [line for line in lines if line.startswith("dgx-h100")]
    assert " ".join(line.split()) == "dgx-h100 H100 8 3.6T 8 400G 3.2T InfiniBand NDR rails 2 sweeps"


def test_one_system_tells_its_source_and_sweeps(capsys):
    assert main(["topo", "systems", "hkbu-10g"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("hkbu-10g: HKBU cluster, 10 Gb/s\nnode      1 x RTX 2080 Ti, 1 NICs of 10Gb/s")
    assert "inside" not in out
    assert "rtx2080ti-16x1-tcp10g-allreduce-default-linear\n" in out


def test_json_has_all_of_it(capsys):
    assert main(["topo", "systems", "--json", "-"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(found) == list(systems.names())
    assert found["polaris"]["node_rate_bps"] == 400 * 10**9
    assert len(found["polaris"]["sweeps"]) == 12
    assert main(["topo", "systems", "aws-p5", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == found["aws-p5"]


def test_an_unknown_system_is_wrong_usage(capsys):
    assert main(["topo", "systems", "dgx-h101"]) == 2
    assert capsys.readouterr().err == "ringlab: no system 'dgx-h101'; did you mean 'dgx-h100'?\n"


def test_a_spec_may_name_a_system(tmp_path, capsys):
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nfabric: system:polaris-2\nalgorithm: ring\nchannels: 2\nsizes: [4M]\narms: [pinned, ecmp]\n"
    )
    assert main(["run", str(path), "--backend", "simulated", "--out", str(tmp_path / "runs")]) == 0
    assert "ring all_reduce on 2 channels, 8 ranks\nline rate 400 Gb/s" in capsys.readouterr().out
