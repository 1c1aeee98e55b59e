import pytest

from topologies.catalog import GENERATORS, from_short_form, generate, parameters
from topologies.counts import ParameterError
from topologies.fabric import FabricError
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring


def test_the_short_form_is_the_generator():
    assert from_short_form("leaf-spine:leaves=4,spines=2,hosts=2") == leaf_spine(4, 2, 2)
    assert from_short_form(" ring : switches=8 , hosts=1, host_rate=400G ") == ring(8, 1, host_rate_bps=400 * 10**9)


def test_rate_and_latency_stand_for_all_that_is_not_given():
    fabric = from_short_form("leaf-spine:leaves=2,spines=1,hosts=1,rate=25G,fabric_rate=100G,latency=3us")
    assert fabric == leaf_spine(
        2,
        1,
        1,
        host_rate_bps=25 * 10**9,
        fabric_rate_bps=100 * 10**9,
        host_latency_s=3e-6,
        fabric_latency_s=3e-6,
    )


def test_numbers_do_as_well_as_text():
    assert generate("ring", {"switches": 3, "hosts": "1", "rate": 1e9}) == ring(
        3, 1, host_rate_bps=10**9, fabric_rate_bps=10**9
    )


def test_all_of_the_field_are_there():
    assert [*GENERATORS] == [
        "leaf-spine", "ring", "tree", "mesh", "torus", "fat-tree", "rail", "dual-plane", "dragonfly", "star",
        "edge-sites",
    ]  # fmt: skip


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_parameter_can_be_written(generator):
    known = {parameter.name: parameter for parameter in parameters(generator)}
    assert known["host_rate"].kind == "rate"
    assert known["host_rate"].default == "100G"
    assert known["host_latency"].keyword == "host_latency_s"
    assert all(parameter.help for parameter in known.values())
    settings = {name: "4" if parameter.required else parameter.default for name, parameter in known.items()}
    written = {name: value for name, value in settings.items() if value is not None}
    required = {name: value for name, value in settings.items() if known[name].required}
    assert generate(generator, written) == generate(generator, required)


def test_parameters_are_the_signature():
    known = {parameter.name: parameter for parameter in parameters("dragonfly")}
    assert known["fabric_latency"].default == "1us"
    assert known["fabric_latency"].keyword == "fabric_latency_s"
    assert [known[name].required for name in ("a", "groups", "host_rate")] == [True, False, False]
    assert [known[name].default for name in ("a", "groups", "host_rate")] == [None, None, "100G"]
    assert generate("dragonfly", {"a": 2, "p": 1, "h": 1, "groups": "2"}).name == "dragonfly-2x1x1-2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("leafspine:leaves=2", "no generator 'leafspine'; did you mean 'leaf-spine'?"),
        ("hypercube", "no generator 'hypercube'; there are leaf-spine, ring, tree, mesh, torus, fat-tree, rail"),
        ("star:hosts=2,fabric_rate=1G", "fabric_rate: star has no such parameter; there are hosts, host_rate, host"),
        ("dragonfly:a=2,p=1", "h: is missing; give dragonfly the number of global links on each switch"),
        ("ring:swiches=3,hosts=1", "swiches: ring has no such parameter; did you mean 'switches'?"),
        ("ring:switches=3", "hosts: is missing; give ring the number of hosts on each switch"),
        ("ring:switches=3,hosts", "'hosts' is no setting; write hosts=VALUE"),
        ("ring:switches=3,switches=4,hosts=1", "switches is given twice; keep one"),
        ("ring:switches=three,hosts=1", "switches: 'three' is no count; write a whole number"),
        ("ring:switches=3.5,hosts=1", "switches: '3.5' is no count"),
        ("ring:switches=2,hosts=1", "switches: 2 is too few; give at least 3"),
        ("ring:switches=99999999999,hosts=1", "switches: '99999999999' is no count"),
        ("ring:switches=3,hosts=1,rate=10GB/s", "rate: '10GB/s' is in bytes; rates are in bits: write 80Gb/s"),
        ("ring:switches=3,hosts=1,host_latency=1", "host_latency: '1' is not a latency"),
        ("ring:switches=3,hosts=1,latency=20s", "latency 20.0 s must be from 0 to 10 s"),
    ],
)
def test_a_short_form_that_can_not_be_gets_one_clear_line(text, message):
    with pytest.raises(FabricError) as caught:
        from_short_form(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_parameter_of_the_wrong_type_is_named():
    with pytest.raises(ParameterError, match="hosts: True is no count"):
        generate("ring", {"switches": 3, "hosts": True})
    with pytest.raises(ParameterError, match=r"rate: \[1\] is no rate"):
        generate("ring", {"switches": 3, "hosts": 1, "rate": [1]})
