"""``ringlab view`` as its user runs it."""

import json
import re
import signal
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from ringlab.cli import main

pytestmark = pytest.mark.process

SPEC = """
name: small
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [1M]
arms: [pinned]
repeats: 1
"""


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SPEC)
    return file


@pytest.fixture
def ended(capsys):
    """Exit code, standard output and standard error of ``ringlab`` with these words, in this process."""

    def run(*words):
        code = main([*map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_film_plays_to_its_end_and_gives_what_the_page_showed(spec, ended):
    code, out, said = ended(
        "view", spec, "--backend", "simulated", "--seconds", 1, "--port", 0, "--exit-with-run", "--json", "-"
    )
    assert code == 0, said
    shown = json.loads(out)
    assert shown["run"]["phase"] == "ended"
    assert [row["arm"] for row in shown["rows"]] == ["pinned"]
    assert re.search(r"open http://127\.0\.0\.1:\d+/\n", said), "no token where nothing may be changed"


def test_it_serves_until_ctrl_c_and_prints_an_address_that_only_we_know(spec):
    words = ["view", spec, "--backend", "simulated", "--seconds", 1, "--port", 0, "--control"]
    argv = [sys.executable, "-m", "ringlab", *map(str, words)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()
        address = urlsplit(re.search(r"http\S+", said)[0])
        assert re.fullmatch(r"token=[\w-]{32}", address.fragment)
        connection = HTTPConnection(address.netloc, timeout=20)
        connection.request("GET", "/state.json")
        assert json.loads(connection.getresponse().read())["about"]["name"] == "small"
        connection.close()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest.endswith("ringlab: bye\n")


def test_a_kept_run_is_played(spec, tmp_path, ended):
    assert ended("run", spec, "--backend", "simulated", "--out", tmp_path / "runs")[0] == 0
    (folder,) = (tmp_path / "runs").iterdir()
    code, out, said = ended("view", folder, "--seconds", 1, "--port", 0, "--exit-with-run", "--json", "-")
    assert code == 0, said
    assert json.loads(out)["about"]["kind"] == "recorded"
    code, _, said = ended("view", folder, "--control")
    assert (code, "a run that is over can't be disturbed" in said) == (2, True)


def test_a_kept_run_is_found_by_its_id_and_as_the_last(spec, tmp_path, ended, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ended("run", spec, "--backend", "simulated")[0] == 0
    (folder,) = (tmp_path / "runs").iterdir()
    for word in ("last", folder.name, folder.name[-6:]):
        code, out, said = ended("view", word, "--seconds", 1, "--port", 0, "--exit-with-run", "--json", "-")
        assert (code, json.loads(out)["about"]["kind"]) == (0, "recorded"), said
    code, _, said = ended("view", "nothing-like-it")
    assert (code, "no run 'nothing-like-it' in runs" in said) == (2, True)
    code, _, said = ended("view", "missing.yaml")
    assert (code, "missing.yaml: no such spec file" in said) == (2, True)


@pytest.mark.parametrize(
    ("route", "why"),
    [("return 1 / 0", "mine.py, line 2: ZeroDivisionError"), ("return {}", "policy 'file:mine.py': flow")],
)
def test_a_mistake_in_a_policy_of_ones_own_is_the_users(spec, route, why, ended):
    (spec.parent / "mine.py").write_text(f"def route(fabric, demands):\n    {route}\n")
    spec.write_text(SPEC.replace("arms: [pinned]", "arms: ['file:mine.py']"))
    code, _, said = ended("view", spec, "--backend", "simulated", "--port", 0, "--exit-with-run")
    assert (code, why in said, "error of ringlab" in said) == (2, True, False), said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("algorithm: ring", "algorithm: auto"), "name an algorithm"),
        (("hosts=2", "hosts=200"), "a page can show"),
        (("arms: [pinned]", "arms: [pinned+gloo]"), "only our own schedules"),
        (("repeats: 1", "repeats: 1\nfaults:\n  - {at: 1s, down: leaf1-spine1}"), "--control"),
    ],
)
def test_what_can_not_be_shown_is_one_line(spec, change, why, ended):
    spec.write_text(spec.read_text().replace(*change))
    code, _, said = ended("view", spec, "--backend", "simulated", "--port", 0)
    assert code == 2
    assert why in said
    assert len(said.splitlines()) == 1


def test_no_run_there_is_one_line(tmp_path, ended):
    code, _, said = ended("view", tmp_path, "--port", 0)
    assert (code, "can't be read" in said) == (2, True)
