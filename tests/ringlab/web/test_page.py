"""The page in a real Chromium: it renders, follows, cuts a link; for keyboards, screen readers and phones, too."""

import re
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from ringlab.experiments import spec as specs
from ringlab.web.server import app
from ringlab.web.serving import serving
from ringlab.web.simulated import Simulated
from ringlab.web.state import share

from .conftest import TEXT, TOKEN

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

WAIT_MS = 20_000


class Seen:
    """What a page did beside what it shows."""

    def __init__(self, page) -> None:
        self.said, self.hosts = [], set()
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))


@pytest.fixture
def opened(browser, served, film):
    """A context that opens the page; at its end the console must be empty, and nobody outside have been asked."""

    @contextmanager
    def open_page(key=TOKEN, source=None, token=TOKEN, **options):
        source = source or film()
        with served(source, token) as client:
            context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
            context.set_default_timeout(WAIT_MS)
            page = context.new_page()
            seen = Seen(page)
            page.goto(client.address + (f"#token={key}" if key else ""))
            page.get_by_text("connected", exact=True).wait_for()
            try:
                yield page, source, seen
                assert seen.said == [], "nothing on the console"
                assert seen.hosts == {f"127.0.0.1:{client.port}"}, "no request to anybody else"
            finally:
                context.close()

    return open_page


def text_of(page, selector):
    return page.locator(selector).inner_text()


def test_it_shows_the_run_and_says_that_it_is_simulated(opened):
    with opened() as (page, source, _):
        assert page.title() == "small-film - ringlab"
        assert text_of(page, "#kind").lower() == "simulated"
        page.get_by_text("spanning-tree, block 1; 4M").wait_for()
        page.locator("#hot tbody tr").first.wait_for()
        assert re.search(r"of 6", text_of(page, "#now"))
        assert page.locator("#ranks li").count() == 4
        fullest = max(source.spec.fabric.directed_links(), key=lambda port: share(source.hub.view, port))
        group = page.locator(f'[data-port="{fullest}"]')
        assert group.get_attribute("class") == "load4"
        assert float(group.locator("line").get_attribute("stroke-width")) == pytest.approx(5.5)
        assert page.locator(f'[data-figure="{fullest}"]').text_content() == "100%", "and in words: never colour alone"
        assert "100% used" in group.locator("title").text_content()


def test_updates_arrive_at_two_a_second_at_least(opened):
    with opened() as (page, _, _):
        count = "() => Number(document.documentElement.dataset.updates)"
        first, began_ms = page.evaluate(count), page.evaluate("() => performance.now()")
        page.wait_for_timeout(2000)
        last, ended_ms = page.evaluate(count), page.evaluate("() => performance.now()")
        assert (last - first) / (ended_ms - began_ms) * 1000 >= 2.0


def test_the_table_fills_and_the_end_is_said(opened, film):
    with opened(source=film(seconds=2.0)) as (page, _, _):
        page.get_by_text("the run has ended").first.wait_for()
        rows = page.locator("#rows tbody tr")
        assert rows.count() == 4
        assert text_of(page, "#rows tbody tr:last-child").startswith("pinned\t1\t16M")
        assert page.locator("#hot tbody tr").count() == 0, "nothing moves"


def test_a_flows_way_is_shown_in_the_drawing_and_in_words(opened):
    with opened() as (page, source, _):
        page.get_by_label("Flow to show").select_option(label="rank 0 to 1 (h1 to h3)")
        page.get_by_text(re.compile("Way of rank 0 to 1.*h1 → leaf1 → spine1 → leaf2 → h3")).wait_for()
        assert page.locator(".on-path").count() == 4
        flow = next(flow for flow in source.hub.view.flows if flow.name.startswith("rank 0 to 1"))
        for hop in flow.hops:
            assert "on-path" in page.locator(f'[data-port="{hop}"]').get_attribute("class")
        page.get_by_label("Flow to show").select_option(label="none")
        assert page.locator(".on-path").count() == 0


def cable(page, link):
    return page.locator(f'.cable[data-link="{link}"]')


def test_a_click_on_a_link_cuts_it_and_another_one_restores_it(opened):
    with opened() as (page, source, _):
        page.get_by_text("spanning-tree, block 1").first.wait_for()
        cable(page, "leaf1-spine1").locator(".hit").click(force=True)
        page.get_by_text("leaf1-spine1: down", exact=True).wait_for()
        assert source.hub.view.states == {"leaf1-spine1": "down"}
        drawn = cable(page, "leaf1-spine1")
        assert "cut" in drawn.get_attribute("class")
        assert "\u2715" in drawn.text_content(), "a cross, and the word"
        assert "cut" in drawn.text_content()
        cable(page, "leaf1-spine1").locator(".hit").click(force=True)
        page.locator("#down li").first.wait_for(state="detached")
        assert source.hub.view.states == {}
        assert "cut" not in drawn.get_attribute("class").split()


def test_all_can_be_done_by_keyboard(opened):
    with opened() as (page, source, _):
        page.get_by_text("spanning-tree, block 1").first.wait_for()
        names = []
        for _ in range(12):
            page.keyboard.press("Tab")
            names.append(page.evaluate("() => document.activeElement.id || document.activeElement.tagName"))
            if names[-1] == "link":
                page.keyboard.type("leaf1-spine2")
            if names[-1] == "cut":
                page.keyboard.press("Enter")
                page.get_by_text("leaf1-spine2: down", exact=True).wait_for()
            if names[-1] == "restore":
                page.keyboard.press("Space")
                page.locator("#down li").first.wait_for(state="detached")
            if names[-1] == "policy":
                page.keyboard.type("pinned")
            if names[-1] == "switch":
                page.keyboard.press("Enter")
                break
        assert [name for name in names if name in {"flow", "link", "cut", "restore", "policy", "switch"}] == [
            "flow", "link", "cut", "restore", "policy", "switch"
        ]  # fmt: skip
        page.locator("#now").get_by_text("pinned").wait_for()
        assert source.hub.view.policy == "pinned"
        outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", "who tabs sees where they are"


def test_a_screen_reader_hears_names_roles_and_figures(opened):
    with opened() as (page, _, _):
        page.locator("#hot tbody tr").first.wait_for()
        tree = page.locator("body").aria_snapshot()
        for wanted in (
            '- heading "small-film" [level=1]',
            '- region "Fabric"',
            '- img "leaf-spine-2x2x2"',
            '- combobox "Flow to show"',
            '- list "Progress of the ranks"',
            '- table "The fullest directed links, the fullest first"',
            '- combobox "Link"',
            '- button "Cut"',
            '- button "Restore"',
            '- combobox "Policy"',
            '- button "Switch"',
            '- table "What was measured so far, the newest last"',
            '- columnheader "busbw (GB/s)"',
            "- status: spanning-tree, block 1",
        ):
            assert wanted in tree, tree
        assert re.search(r'progressbar "rank 0 on h1: step \d of 6"', tree)
        assert re.search(r'meter "leaf\d->spine1 in use"', tree)
        unnamed = page.evaluate(
            "() => [...document.querySelectorAll('button, select, meter, progress, input')].filter("
            "(one) => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim())).length"
        )
        assert unnamed == 0
        assert page.evaluate("() => document.documentElement.lang") == "en"


def test_a_reader_may_not_touch_and_is_told_how_one_may(opened, film):
    with opened(key="", source=film(control=False), token=None) as (page, source, _):
        page.get_by_text("spanning-tree, block 1").first.wait_for()
        assert page.get_by_role("button").count() == 0
        page.get_by_text("Read-only. Start with --control").wait_for()
        cable(page, "leaf1-spine1").locator(".hit").click(force=True)
        page.wait_for_timeout(500)
        assert source.hub.view.states == {}


def test_a_wrong_token_is_answered_in_words(opened):
    with opened(key="wrong") as (page, source, seen):
        page.get_by_role("button", name="Cut").click()
        page.get_by_role("alert").get_by_text("the token is missing or wrong").wait_for()
        assert source.hub.view.states == {}
        assert ["403" in said for said in seen.said] == [True], "the browser's own word for it"
        seen.said.clear()


@pytest.mark.parametrize("width", [320, 390, 768, 1600])
def test_no_width_makes_the_page_scroll_sideways(opened, width):
    with opened(viewport={"width": width, "height": 844}) as (page, _, _):
        page.locator("#hot tbody tr").first.wait_for()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        drawing = page.locator("#drawing svg").bounding_box()
        assert drawing["x"] >= 0
        assert drawing["x"] + drawing["width"] <= width


def luminance(colour):
    """WCAG 2.2's relative luminance of ``rgb(r, g, b)``."""
    parts = [int(word) / 255 for word in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(page, selector):
    style = "(one) => [getComputedStyle(one).color, getComputedStyle(one.closest('section, body')).backgroundColor]"
    lighter, darker = sorted(map(luminance, page.locator(selector).first.evaluate(style)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_readers_scheme_and_can_be_read_in_both(opened, scheme):
    with opened(color_scheme=scheme) as (page, _, _):
        background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (luminance(background) > 0.5) == (scheme == "light")
        for selector in ("h1", "h2", ".note", "#kind", "#answer", "dd"):
            assert contrast(page, selector) >= 4.5, selector
        sheet = page.evaluate("() => getComputedStyle(document.querySelector('.fabric')).backgroundColor")
        assert (luminance(sheet) > 0.5) == (scheme == "light"), "the drawing too"


def test_the_list_of_policies_shows_the_one_at_work(opened, film):
    source = film()
    source.set_policy("pinned")
    with opened(source=source) as (page, _, _):
        assert page.get_by_label("Policy", exact=True).input_value() == "pinned"


def test_a_page_that_stays_open_turns_to_the_next_view_at_its_address(browser, served, film):
    """Which may be of another fabric."""
    with browser.new_context() as context:
        page, wrong = context.new_page(), []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        with served(film()) as client:
            page.goto(client.address)
            page.get_by_text("connected", exact=True).wait_for()
        other = specs.loads(TEXT.replace("small-film", "another").replace("leaves=2", "leaves=3"))
        source = Simulated(other, 600.0, control=True)
        with serving(app(source.hub, source, TOKEN), "127.0.0.1", client.port):
            page.get_by_role("heading", name="another").wait_for(timeout=WAIT_MS)
            page.get_by_text("connected", exact=True).wait_for(timeout=WAIT_MS)
            page.locator("#hot tbody tr").first.wait_for(timeout=WAIT_MS)
        assert wrong == []


def test_a_server_that_is_gone_is_said(browser, served, film):
    with browser.new_context() as context:
        page = context.new_page()
        with served(film()) as client:
            page.goto(client.address)
            page.get_by_text("connected", exact=True).wait_for()
        page.get_by_text("connection lost: what is shown is old").wait_for(timeout=WAIT_MS)
