"""What the server answers, over real sockets."""

import time
from urllib.parse import urlsplit

import pytest

from ringlab.errors import UsageError
from ringlab.web.server import MAX_LISTENERS
from ringlab.web.serving import serving
from ringlab.web.state import merged

pytestmark = pytest.mark.process


def test_the_page_is_whole_and_names_nothing_outside(served, film):
    with served(film()) as client:
        status, headers, body = client.get("/")
        assert status == 200
        assert "<h1>small-film</h1>" in body
        assert 'data-link="leaf1-spine1"' in body
        assert "{{" not in body
        assert headers["content-security-policy"].startswith("default-src 'none'")
        for name in ("page.js", "page.css", "icon.svg"):
            status, _, text = client.get(f"/{name}")
            assert status == 200
            addresses = [word for word in text.replace('"', " ").replace("'", " ").split() if "://" in word]
            assert {urlsplit(word).netloc for word in addresses} <= {"www.w3.org"}, "a name of XML's, not an address"


def test_events_begin_with_everything_and_then_tell_what_changed_twice_a_second_at_least(served, film):
    with served(film()) as client, client.listening() as events:
        kind, seen, began_s = next(events)
        assert kind == "all"
        for _ in range(8):
            kind, change, now_s = next(events)
            assert kind == "change"
            seen = merged(seen, change)
        assert now_s - began_s < 4.0, "eight at two a second"
        assert seen["run"]["arm"] == "spanning-tree"
        assert seen["hot"][0]["share"] > 0.9
        assert len(seen["ranks"]) == 4
        whole = client.get("/state.json")[2]
        assert whole.startswith('{"about":{"name":"small-film","kind":"simulated"')


def test_nobody_looks_at_the_run_while_nobody_listens(served, film):
    source, looked = film(), []
    sample = source.sample
    source.sample = lambda: (looked.append(1), sample())
    with served(source) as client:
        time.sleep(0.6)
        assert looked == []
        with client.listening() as events:
            for _ in range(3):
                next(events)
        assert len(looked) >= 3
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:  # it notices that we left when it next writes
            count = len(looked)
            time.sleep(0.6)
            if len(looked) == count:
                return
        pytest.fail("it still looks")


def test_a_link_is_cut_and_restored_with_the_token(served, film):
    source = film()
    with served(source) as client:
        assert client.post("/link", {"link": "leaf1-spine1", "down": True})[0] == 200
        assert source.hub.view.states == {"leaf1-spine1": "down"}
        assert client.post("/link", {"link": "leaf1-spine1", "down": False})[0] == 200
        assert source.hub.view.states == {}
        assert client.post("/policy", {"policy": "pinned"})[0] == 200
        assert source.hub.view.policy == "pinned"


@pytest.mark.parametrize("token", ["", "wrong", "0123456789abcde"])
def test_without_the_token_nothing_changes(served, film, token):
    source = film()
    with served(source) as client:
        for path, body in (("/link", {"link": "leaf1-spine1", "down": True}), ("/policy", {"policy": "pinned"})):
            status, _, said = client.post(path, body, token)
            assert status == 403
            assert "token" in said
        assert source.hub.view.states == {}


def test_a_view_without_control_changes_nothing_for_anybody(served, film):
    source = film(control=False)
    with served(source, None) as client:
        status, _, said = client.post("/link", {"link": "leaf1-spine1", "down": True}, "None")
        assert (status, "--control" in said) == (403, True)
        assert source.hub.view.policies == ()


def test_names_that_others_lead_here_and_pages_of_other_sites_are_refused(served, film):
    with served(film()) as client:
        assert client.get("/state.json", Host="evil.example")[0] == 403
        assert client.get("/", Host="evil.example:80")[0] == 403
        assert client.get("/state.json", Host="lab7:8765")[0] == 200
        status, _, said = client.post("/link", {"link": "leaf1-spine1", "down": True}, Origin="http://evil.example")
        assert (status, "another site" in said) == (403, True)


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/link", {"link": "leaf1-spine9", "down": True}, "no link 'leaf1-spine9'"),
        ("/link", {"link": "leaf1-spine1"}, "link (str), down (bool)"),
        ("/link", {"link": "leaf1-spine1", "down": 1}, "link (str), down (bool)"),
        ("/link", ["leaf1-spine1", True], "must be an object"),
        ("/link", b"{", "not JSON"),
        ("/link", b" " * 5000, "larger than"),
        ("/policy", {"policy": "teleport"}, "no routing policy 'teleport'"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(served, film, path, body, why):
    with served(film()) as client:
        status, _, said = client.post(path, body)
        assert status == 409
        assert why in said


def test_after_the_end_nothing_can_be_disturbed(served, film):
    source = film(seconds=1.0)
    source.hub._began_s -= 100.0
    source.sample()
    with served(source) as client:
        status, _, said = client.post("/link", {"link": "leaf1-spine1", "down": True})
        assert (status, "has ended" in said) == (409, True)


def test_other_paths_and_methods_are_not_there(served, film):
    with served(film()) as client:
        assert client.get("/page.py")[0] == 404
        assert client.get("/../setup.cfg")[0] == 404
        assert client.ask("DELETE", "/link", Authorization="Bearer 0123456789abcdef")[0] == 405


def test_more_pages_than_it_can_serve_are_refused(served, film):
    with served(film()) as client:
        open_pages = [client.listening() for _ in range(MAX_LISTENERS)]
        try:
            for page in open_pages:
                next(page.__enter__())
            status, _, said = client.get("/events")
            assert (status, "close one" in said) == (503, True)
        finally:
            for page in open_pages:
                page.__exit__(None, None, None)


def test_a_port_that_is_taken_is_one_line(served, film):
    with (
        served(film()) as client,
        pytest.raises(UsageError, match=f"port {client.port}.*another --port"),
        serving(lambda *_: None, "127.0.0.1", client.port),
    ):
        pass
