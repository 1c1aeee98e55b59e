"""A policy of one's own in a spec and on the command line, simulated."""

import json

import pytest

from ringlab.cli import main
from ringlab.errors import UsageError
from ringlab.training import simulated_spec, spec

MINE = """
from controller.routing.next_hops import NextHops, ends, host_to_host

def route(fabric, demands):
    hops = NextHops(fabric)
    ways = {d.key: hops.walks(*ends(fabric, d.key), limit=2) for d in demands}
    return {key: host_to_host(fabric, key, some[number % len(some)]) for number, (key, some) in enumerate(ways.items())}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)


def test_run_finds_the_file_beside_the_spec(tmp_path, capsys, monkeypatch):
    (tmp_path / "spec.yaml").write_text(
        "name: own\nfabric: leaf-spine:leaves=4,spines=2,hosts=2\nplacement: interleaved\nalgorithm: ring\n"
        "sizes: [4M]\narms: ['ecmp:seed=1', 'file:mine.py']\nrepeats: 1\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["run", "../spec.yaml", "--backend", "simulated", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(arm["name"], arm["group"]) for arm in found["arms"]] == [
        ("ecmp:seed=1", "ecmp"),
        ("file:mine.py", "file:mine.py"),
    ]


TRAIN = {
    "simulated": "model: {layers: 2, hidden: 64, heads: 8, vocabulary: 100, sequence: 16}\n"
    "device: a100\nparallel: {data: 2}\n",
    "real": "layers: [32, 64, 8]\nsteps: 3\n",
}


@pytest.mark.parametrize("kind", TRAIN)
def test_a_training_takes_it_too(tmp_path, kind):
    text = "name: own\nfabric: leaf-spine:leaves=2,spines=2,hosts=1\nbatch: 8\nbucket_mb: [1]\narms: ['file:mine.py']\n"
    text += TRAIN[kind]
    loads = simulated_spec.loads if kind == "simulated" else spec.loads
    (arm,) = loads(text, "spec.yaml", tmp_path).arms
    assert (arm.group, arm.policy) == ("file:mine.py", "file:mine.py")
    with pytest.raises(UsageError, match=r"nowhere\.py is no file"):
        loads(text.replace("mine.py", "nowhere.py"), "spec.yaml", tmp_path)


def test_a_mistake_in_it_is_one_line(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def route(fabric):\n    return nothing\n")
    (tmp_path / "spec.yaml").write_text(
        "name: own\nfabric: star:hosts=2\nalgorithm: ring\nsizes: [4M]\narms: ['file:nowhere.py']\n"
    )
    assert main(["run", "spec.yaml", "--backend", "simulated"]) == 2
    said = capsys.readouterr().err
    assert "spec.yaml:5: arms[0]: policy 'file:nowhere.py': " in said
    assert "nowhere.py is no file" in said
