"""A policy in a file: what it must be, what is said when it is not, and who may load one."""

import sys

import pytest

from controller import own_policies, routing
from controller.routing import CLEAR, RoutingError, Situation
from controller.routing.next_hops import NextHops, ends, host_to_host
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey, Path

FABRIC = leaf_spine(2, 2, 2)
DEMANDS = [
    Demand(FlowKey("h1", "h3", 30000, 20000), (0,), (100,)),
    Demand(FlowKey("h2", "h4", 30000, 20000), (0,), (100,)),
]

LAST = """
from controller.routing.next_hops import NextHops, ends, host_to_host

def route(fabric, demands{more}):
    hops = NextHops(fabric{dead})
    return {{d.key: host_to_host(fabric, d.key, hops.walks(*ends(fabric, d.key), limit=9)[-1]) for d in demands}}
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(routing, "_OWN", {})
    monkeypatch.setattr(own_policies, "_files", {})


def _file(tmp_path, text, name="mine.py"):
    (tmp_path / name).write_text(text)
    return f"file:{name}"


def test_it_routes_as_any_other(tmp_path):
    text = _file(tmp_path, LAST.format(more="", dead=""))
    found = own_policies.known(text, tmp_path)
    paths = found.route(FABRIC, DEMANDS)
    assert found.text == text
    assert all("spine2" in path.nodes(FABRIC) for path in paths.values())
    assert routing.policy(text).route(FABRIC, DEMANDS) == paths
    assert set(routing.with_acknowledgements(found, FABRIC, DEMANDS, paths)) > set(paths)
    assert own_policies.loaded() == {text: tmp_path / "mine.py"}


def test_a_name_alone_loads_nothing(tmp_path, monkeypatch):
    """A request over the network may name any policy: it must not make this process run a file."""
    _file(tmp_path, "raise SystemExit('ran')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RoutingError, match="no routing policy 'file'"):
        routing.policy("file:mine.py")


def test_what_is_known_is_not_sought_again(tmp_path):
    text = _file(tmp_path, LAST.format(more="", dead=""))
    own_policies.known(text, tmp_path)
    assert own_policies.found(text).text == text
    assert own_policies.found("pinned").text == "pinned"
    with pytest.raises(RoutingError, match="is no file"):
        own_policies.found("file:nowhere.py")


def test_built_in_policies_are_known_too(tmp_path):
    assert own_policies.known("ecmp:seed=3", tmp_path).text == "ecmp:seed=3"


DATACLASS = """
from __future__ import annotations

from dataclasses import dataclass, fields

@dataclass(frozen=True)
class Choice:
    number: int = -1
"""


def test_a_dataclass_under_postponed_annotations_loads(tmp_path):
    text = _file(tmp_path, DATACLASS + LAST.format(more="", dead=""))
    assert own_policies.known(text, tmp_path).route(FABRIC, DEMANDS)


def test_two_files_of_one_name_are_two_modules(tmp_path):
    routes = []
    for folder, number in (("one", 0), ("two", -1)):
        (tmp_path / folder).mkdir()
        text = _file(tmp_path / folder, "import sys\nME = sys.modules[__name__]\n" + _picking(number))
        routes.append((own_policies.known(text, tmp_path / folder).route, number))
    for route, number in routes:
        used = {port.node for path in route(FABRIC, DEMANDS).values() for port in path.hops}
        assert ("spine2" in used) == (number == -1)


def _picking(number):
    """A policy that looks into its own module for which way to go."""
    return f"NUMBER = {number}\n" + LAST.format(more="", dead="").replace("[-1]", "[ME.NUMBER]")


def test_a_module_beside_the_file_is_its_own_and_read_anew(tmp_path):
    for folder, number in (("one", 0), ("two", -1), ("one", 1)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "helper.py").write_text(f"NUMBER = {number}{' ' * 3 * number}\n")
        text = LAST.format(more="", dead="").replace("[-1]", "[helper.NUMBER]")
        text = _file(tmp_path / folder, f"import helper\n{text}")
        paths = own_policies.known(text, tmp_path / folder).route(FABRIC, DEMANDS)
        assert all(("spine2" in path.nodes(FABRIC)) == (number != 0) for path in paths.values())
    assert str(tmp_path / "one") not in sys.path
    assert "helper" not in sys.modules


def test_a_file_that_fails_leaves_no_module(tmp_path):
    before = set(sys.modules)
    with pytest.raises(RoutingError, match="NameError"):
        own_policies.known(_file(tmp_path, "nothing\n"), tmp_path)
    assert not [name for name in set(sys.modules) - before if name.startswith("own_policy")]


def test_a_changed_file_is_loaded_anew(tmp_path):
    text = _file(tmp_path, LAST.format(more="", dead=""))
    own_policies.known(text, tmp_path)
    _file(tmp_path, "def route(fabric, demands):\n    return {}\n")
    with pytest.raises(RoutingError, match="has no Path"):
        own_policies.known(text, tmp_path).route(FABRIC, DEMANDS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "has no function route"),
        ("route = 3\n", "has no function route"),
        ("def route(:\n", "mine.py, line 1: SyntaxError"),
        ("\nimport nothing_like_this\n", "mine.py, line 2: ModuleNotFoundError"),
        ("raise SystemExit(1)\n", "mine.py, line 1: SystemExit"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, said):
    with pytest.raises(RoutingError, match=said):
        own_policies.known(_file(tmp_path, text), tmp_path)


def test_a_relative_path_names_its_line_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RoutingError, match=r"mine.py, line 2: NameError"):
        own_policies.known(_file(tmp_path, "\nnothing\n"))


def test_a_missing_file_and_one_of_another_kind(tmp_path):
    with pytest.raises(RoutingError, match="is no file"):
        own_policies.known("file:nowhere.py", tmp_path)
    with pytest.raises(RoutingError, match="is no Python file"):
        own_policies.known(_file(tmp_path, "", "mine.txt"), tmp_path)


def test_an_error_in_route_names_its_line(tmp_path):
    found = own_policies.known(_file(tmp_path, "def route(fabric, demands):\n    return 1 / 0\n"), tmp_path)
    with pytest.raises(RoutingError, match=r"policy 'file:mine.py': mine.py, line 2: ZeroDivisionError"):
        found.route(FABRIC, DEMANDS)


def test_what_knows_of_dead_links_is_told_and_what_does_not_is_refused(tmp_path):
    dead = Situation(frozenset(["leaf1-spine2"]))
    blind = own_policies.known(_file(tmp_path, LAST.format(more="", dead="")), tmp_path)
    with pytest.raises(RoutingError, match="crosses leaf1-spine2, which is dead; let route take a third argument"):
        blind.route(FABRIC, DEMANDS, dead)
    text = LAST.format(more=", situation", dead=", situation.dead")
    told = own_policies.known(_file(tmp_path, text, "told.py"), tmp_path)
    assert all("spine1" in path.nodes(FABRIC) for path in told.route(FABRIC, DEMANDS, dead).values())


def _good():
    hops = NextHops(FABRIC)
    return {d.key: host_to_host(FABRIC, d.key, hops.walks(*ends(FABRIC, d.key), limit=1)[0]) for d in DEMANDS}


def _with(change):
    paths = _good()
    paths[DEMANDS[0].key] = change(paths[DEMANDS[0].key])
    return paths


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: None, "must return a dict"),
        (dict, "has no Path, but None"),
        (lambda: _with(lambda path: path.hops), "has no Path"),
        (lambda: _with(lambda _: Path(())), "is empty"),
        (lambda: _with(lambda path: Path(path.hops[1:])), "must begin with h1:1"),
        (lambda: _with(lambda path: Path(path.hops[:-1])), "end with"),
        (lambda: _with(lambda path: Path((path.hops[0], *path.hops[2:]))), "the path goes on at"),
        (lambda: _with(_around), "passes a node twice"),
    ],
)
def test_paths_that_are_none(answer, said):
    with pytest.raises(RoutingError, match=said):
        own_policies.check(FABRIC, DEMANDS, answer(), CLEAR)


def _around(path):
    up, down = path.hops[1], path.hops[2]
    return Path((path.hops[0], up, FABRIC.peer(up), up, down, path.hops[3]))


def test_good_paths_pass():
    assert own_policies.check(FABRIC, DEMANDS, _good()) == _good()
