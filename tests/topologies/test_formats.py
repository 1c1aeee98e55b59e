from dataclasses import replace

import pytest

from topologies.fabric import Fabric, Link, Port
from topologies.formats import dumps, from_data, loads, to_data
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.yaml_lines import DocumentError


@pytest.mark.parametrize("fabric", [leaf_spine(4, 2, 2, links=2), ring(8, 1, host_rate_bps=400 * 10**9)])
def test_what_generators_make_is_written_plainly(fabric):
    text = dumps(fabric)
    assert loads(text) == fabric
    assert "ports" not in text
    assert '"' not in text


def test_a_file_may_name_a_generator():
    text = "generator: leaf-spine\nleaves: 4\nspines: 2\nhosts: 2\nrate: 25G\n"
    assert loads(text) == leaf_spine(4, 2, 2, host_rate_bps=25 * 10**9, fabric_rate_bps=25 * 10**9)
    assert loads("name: rack\n" + text) == replace(loads(text), name="rack")


def test_latency_may_be_left_out():
    fabric = loads(
        "{name: p, hosts: [h1, h2], switches: [s], links: [{a: h1, b: s, rate: 1G}, {a: h2, b: s, rate: 1e9}]}"
    )
    assert {(link.rate_bps, link.latency_s) for link in fabric.links} == {(10**9, 0.0)}


def test_ports_left_out_are_the_lowest_free():
    text = """
name: p
hosts: [h1, h2, h3]
switches: [s]
links:
- {a: h1, b: s, rate: 1G}
- {a: h2, b: s, rate: 1G, ports: [4, 1]}
- {a: h3, b: s, rate: 1G}
"""
    links = loads(text).links
    assert [(link.a.number, link.b.number) for link in links] == [(1, 2), (4, 1), (1, 3)]
    assert loads(dumps(loads(text))) == loads(text)


def test_a_link_may_have_a_name():
    link = Link("uplink", Port("h1", 1), Port("s", 1), 10**9, 0.0)
    fabric = Fabric("p", ("h1",), ("s",), (link,))
    assert "name: uplink" in dumps(fabric)
    assert loads(dumps(fabric)) == fabric


GOOD = """\
name: pair
hosts: [h1, h2]
switches: [s1]
links:
- {a: h1, b: s1, rate: 100G, latency: 1us}
- {a: h2, b: s1, rate: 100G, latency: 1us}
"""

WRONG = [
    ("", "", "f:1: is empty; write name, hosts, switches, links, or a generator"),
    (GOOD, "[1]\n", "f:1: is a list; write name, hosts"),
    ("name: pair\n", "", "f:1: name: is missing; a fabric has name, hosts, switches, links, or a generator"),
    ("name: pair", "name: 3", "f:1: name: is a number; write text, in quotes if need be"),
    ("hosts: [h1, h2]", "hosts: h1", "f:2: hosts: is text; write a list of names"),
    ("hosts: [h1, h2]", "hosts: [h1, h2, 3]", "f:2: hosts[2]: is a number; write a name"),
    ("hosts: [h1, h2]", "hosts: [h1, h2, h2]", "f:2: hosts[2]: node 'h2' is named twice"),
    ("hosts: [h1, h2]", "hosts: [h1, h2, h3]", "f:2: hosts[2]: host 'h3' has no link: plug it into a switch"),
    ("switches: [s1]", "switches: [s1, s2]", "f:1: fabric 'pair' is in 2 pieces: 's2' cannot reach 'h1'"),
    ("switches: [s1]", "switches: [s1, a b]", "f:3: switches[1]: node name 'a b': use ASCII letters"),
    ("switches: [s1]", "switchs: [s1]", "f:3: switchs: a fabric has no such field; did you mean 'switches'?"),
    ("links:\n", "links: 1\nlink:\n", "f:4: links: is a number; write a list, one link an item"),
    ("- {a: h2, b: s1, rate: 100G, latency: 1us}", "- h2-s1", "f:6: links[1]: is text; write a link like {a: h1"),
    ("a: h2", "a: h9", "f:6: links[1].a: 'h9' is no host or switch; name it in hosts or switches"),
    ("a: h2", "a: [h2]", "f:6: links[1].a: ['h2'] is no host or switch"),
    ("a: h2", "a: s1", "f:6: links[1]: link s1-s1: joins 's1' with itself"),
    ("b: s1, rate: 100G, latency: 1us}\n- ", "b: h2, rate: 100G}\n- ", "f:5: links[0]: link h1-h2: joins two hosts"),
    ("a: h2, ", "", "f:6: links[1].a: is missing; write a link like {a: h1"),
    ("a: h2", "aa: h2", "f:6: links[1].aa: a link has no such field; did you mean 'a'?"),
    ("h2, b: s1, rate: 100G", "h2, b: s1, rate: fast", "f:6: links[1].rate: 'fast' is not a rate"),
    ("h2, b: s1, rate: 100G", "h2, b: s1, rate: [1]", "f:6: links[1].rate: is a list; write a number with its unit"),
    ("1us}\n", "1}\n", "f:5: links[0].latency: '1' is not a latency"),
    ("1us}\n", "20s}\n", "f:5: links[0]: link h1-s1: latency 20.0 s must be from 0 to 10 s"),
    ("1us}\n", "1us, ports: [1]}\n", "f:5: links[0].ports: write the port numbers of a and b, from 1, like [1, 3]"),
    ("1us}\n", "1us, ports: [0, 1]}\n", "f:5: links[0].ports: write the port numbers"),
    ("1us}\n", "1us, ports: [true, 1]}\n", "f:5: links[0].ports: write the port numbers"),
    ("1us}\n", "1us, name: 7}\n", "f:5: links[0].name: is a number; write text"),
    ("1us}\n", "1us, name: h2-s1}\n", "f:6: links[1]: a second link named 'h2-s1'; give it a name of its own"),
    (GOOD, "generator: leafspine\n", "f:1: generator: no generator 'leafspine'; did you mean 'leaf-spine'?"),
    (GOOD, "generator: ring\nswitches: 3\nhosts: x\n", "f:3: hosts: 'x' is no count; write a whole number"),
    (GOOD, "generator: ring\nswitches: 2\nhosts: 1\n", "f:2: switches: 2 is too few; give at least 3"),
    (GOOD, "generator: ring\nswitches: 3\n", "f:1: hosts: is missing; give ring the number of hosts"),
    (GOOD, "generator: ring\nname: 3\nswitches: 3\nhosts: 1\n", "f:2: name: is a number; write text"),
    (GOOD, "generator: ring\nswitches: 3\nhosts: 1\nlatency: 11s\n", "f:1: link h1-s1: latency 11.0 s"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_a_wrong_file_gets_a_line_with_its_place(old, new, message):
    text = GOOD.replace(old, new, 1) if old else new
    with pytest.raises(DocumentError) as caught:
        loads(text, "f")
    assert any(line.startswith(message) for line in caught.value.errors), caught.value.errors


def test_all_links_are_judged_at_once():
    text = GOOD.replace("h1, b", "x, b").replace("h2, b", "y, b").replace("1us", "1")
    with pytest.raises(DocumentError) as caught:
        loads(text, "f")
    assert [line.split(": ")[1] for line in caught.value.errors] == [
        "links[0].a", "links[0].latency", "links[1].a", "links[1].latency",
    ]  # fmt: skip


def test_data_without_text_is_named_by_field():
    with pytest.raises(DocumentError, match=r"^here: links\[0\].rate: '3x' is not a rate"):
        from_data({**to_data(ring(3, 1)), "links": [{"a": "h1", "b": "s1", "rate": "3x"}]}, "here")
    with pytest.raises(DocumentError, match=r"fabric: \[3\]: a fabric has no such field"):
        from_data({3: 4})
