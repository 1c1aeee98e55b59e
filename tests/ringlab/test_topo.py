import json
import re
from dataclasses import asdict, fields, replace
from xml.etree import ElementTree as ET

import pytest

from ringlab.cli import main
from ringlab.commands.topo import convert, fabric_options, measure_words
from topologies import containerlab, exchange, graphml
from topologies.formats import dumps, from_data, loads
from topologies.leaf_spine import leaf_spine
from topologies.measures import Measures, measures

SHORT = "leaf-spine:leaves=2,spines=1,hosts=1,fabric_rate=25G"
FABRIC = leaf_spine(2, 1, 1, fabric_rate_bps=25 * 10**9)


def test_show_prints_measures_and_links(capsys):
    assert main(["topo", "show", SHORT]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "leaf-spine-2x1x1: 2 hosts, 3 switches, 4 links"
    assert "line rate         25Gb/s" in out
    assert "oversubscription  4:1" in out
    assert "diameter          4  links" in out
    assert "path diversity    1  paths" in out
    assert "leaf2-spine1  leaf2:2  spine1:2  25G   1us" in out


def test_show_as_yaml_is_read_back(capsys):
    assert main(["topo", "show", SHORT, "--yaml"]) == 0
    assert loads(capsys.readouterr().out) == FABRIC


def test_show_as_json_is_the_fabric_and_its_measures(capsys):
    assert main(["topo", "show", SHORT, "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert from_data(data["fabric"]) == FABRIC
    assert data["measures"]["line_rate_bps"] == 25e9


def test_json_in_a_file_leaves_the_table_on_standard_output(tmp_path, capsys):
    assert main(["topo", "show", SHORT, "--json", str(tmp_path / "f.json")]) == 0
    assert "leaf2-spine1" in capsys.readouterr().out
    assert json.loads((tmp_path / "f.json").read_text())["measures"]["hosts"] == 2


def test_draw_writes_svg_to_a_file_and_says_so_on_the_side(tmp_path, capsys):
    target = tmp_path / "drawings" / "f.svg"
    assert main(["topo", "draw", SHORT, "-o", str(target)]) == 0
    assert ET.parse(target).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"drawn: {target}\n")


@pytest.mark.parametrize(("language", "start"), [("svg", "<svg"), ("dot", "graph "), ("mermaid", "graph BT")])
def test_draw_speaks_three_languages(capsys, language, start):
    assert main(["topo", "draw", SHORT, "--format", language]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_check_of_a_good_file(tmp_path, capsys):
    path = tmp_path / "f.yaml"
    path.write_text(dumps(FABRIC))
    assert main(["topo", "check", str(path)]) == 0
    assert capsys.readouterr().out == "leaf-spine-2x1x1: ok, 2 hosts, 3 switches, 4 links\n"


def test_check_tells_every_error_of_a_bad_file(tmp_path, capsys):
    path = tmp_path / "f.yaml"
    path.write_text(dumps(FABRIC).replace("25G", "fast"))
    assert main(["topo", "check", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2] for line in lines] == ["links[1].rate", "links[3].rate"]
    assert lines[0].startswith(f"ringlab: {path}:6: links[1].rate: 'fast' is not a rate")


def test_check_gives_errors_as_json_too(tmp_path, capsys):
    path = tmp_path / "f.yaml"
    path.write_text("hosts: [h1]\n")
    assert main(["topo", "check", str(path), "--json", "-"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [error.split(": ")[1] for error in found["errors"]] == ["name", "switches", "links"]
    assert main(["topo", "check", SHORT, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "errors": []}


def test_a_spec_is_no_fabric(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(f"fabric: {SHORT}\narms: [pinned]\n")
    assert main(["topo", "show", str(tmp_path / "s.yaml")]) == 2
    assert "s.yaml: is a spec and no fabric; name what stands in its field fabric" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_no_failed_check(tmp_path, capsys):
    assert main(["topo", "check", str(tmp_path / "nope.yaml")]) == 2
    assert capsys.readouterr().err == f"ringlab: {tmp_path}/nope.yaml: no such fabric file; check the path\n"


def test_a_bad_short_form_is_a_failed_check_and_wrong_usage_elsewhere(capsys):
    assert main(["topo", "check", "ring:switches=2,hosts=1"]) == 1
    assert main(["topo", "show", "ring:switches=2,hosts=1"]) == 2
    said = "ringlab: ring:switches=2,hosts=1: switches: 2 is too few; give at least 3\n"
    assert capsys.readouterr().err == 2 * said


LAB = """\
name: lab
topology:
  defaults: {kind: linux}
  nodes: {h1: , h2: , leaf1: {kind: nokia_srlinux}}
  links:
  - endpoints: ["h1:eth1", "leaf1:e1-1"]
  - endpoints: ["h2:eth1", "leaf1:e1-2"]
"""
RATE_NOTE = "2 of 2 links state no rate; 100Gb/s was taken (--rate)"


@pytest.fixture
def lab(tmp_path):
    path = tmp_path / "lab.clab.yml"
    path.write_text(LAB)
    return path


def test_the_command_line_names_the_formats_there_are():
    assert fabric_options.SOURCES == exchange.SOURCES
    assert tuple(exchange.FORMATS) == convert.TARGETS


def test_measure_sets_fabrics_side_by_side(tmp_path, capsys):
    (tmp_path / "f.graphml").write_text(graphml.dumps(FABRIC))
    assert main(["topo", "measure", SHORT, str(tmp_path / "f.graphml"), "ring:switches=3,hosts=1"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == [SHORT, str(tmp_path / "f.graphml"), "ring:switches=3,hosts=1"]
    assert len(rows) == len(asdict(measures(FABRIC)))
    assert rows[0].split() == ["hosts", "2", "2", "3"]
    assert re.split(" {2,}", rows[4])[:4] == ["line rate", "25Gb/s", "25Gb/s", "100Gb/s"]


def test_every_measure_has_words():
    assert list(measure_words.MEANINGS) == [field.name for field in fields(Measures)]


def test_measure_as_json(capsys):
    assert main(["topo", "measure", SHORT, "ring:switches=3,hosts=1", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["fabric"], one["name"]) for one in found] == [
        (SHORT, "leaf-spine-2x1x1"), ("ring:switches=3,hosts=1", "ring-3x1"),
    ]  # fmt: skip
    assert found[0]["measures"] == asdict(measures(FABRIC))


@pytest.mark.parametrize("name", ["f.yaml", "f.json", "f.graphml", "f.clab.yml"])
def test_convert_and_back(tmp_path, capsys, name):
    target, back = tmp_path / name, tmp_path / "back.yaml"
    assert main(["topo", "convert", SHORT, "-o", str(target)]) == 0
    assert main(["topo", "convert", str(target), "-o", str(back)]) == 0
    assert loads(back.read_text()) == FABRIC
    out, err = capsys.readouterr()
    assert out == ""
    assert f"written: {target}" in err
    assert ("containerlab shapes no links" in err) == (name == "f.clab.yml")


def test_convert_to_standard_output_wants_the_format(capsys):
    assert main(["topo", "convert", SHORT, "--to", "containerlab"]) == 0
    assert containerlab.loads(capsys.readouterr().out).fabric == FABRIC
    assert main(["topo", "convert", SHORT]) == 2
    assert capsys.readouterr().err.startswith(
        "ringlab: standard output has no ending; name the format: --to yaml|json|"
    )
    assert main(["topo", "convert", SHORT, "-o", "x.doc"]) == 2
    assert capsys.readouterr().err.startswith("ringlab: x.doc: an ending of no format; name the format")


def test_a_mininet_script_takes_a_scale(capsys):
    assert main(["topo", "convert", SHORT, "--to", "mininet", "--scale", "250"]) == 0
    out, err = capsys.readouterr()
    assert "def build(self, scale=250," in out
    assert "a Mininet script is not read back" in err
    for words, said in (
        (["--to", "mininet", "--scale", "10"], "scale 10: 100Gb/s would not fit 1000 Mb/s; give at least 100"),
        (["--to", "mininet", "--scale", "nan"], "--scale: nan is no time dilation; give from 1 to 1e+09"),
        (["--to", "yaml", "--scale", "10"], "--scale is for a Mininet script; other formats state the fabric as it is"),
    ):
        assert main(["topo", "convert", SHORT, *words]) == 2
        assert capsys.readouterr() == ("", f"ringlab: {said}\n")


@pytest.mark.parametrize("verb", ["show", "draw", "check", "measure"])
def test_every_verb_reads_every_format_and_says_what_it_took_for_granted(verb, lab, capsys):
    assert main(["topo", verb, str(lab)]) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == f"ringlab: {lab}: {RATE_NOTE}\n"


def test_what_a_file_leaves_unsaid_can_be_said(lab, capsys):
    assert main(["topo", "show", str(lab), "--rate", "25G", "--yaml"]) == 0
    out, err = capsys.readouterr()
    assert {link.rate_bps for link in loads(out).links} == {25 * 10**9}
    assert "25Gb/s was taken" in err
    lab.write_text(LAB.replace("linux", "frr"))
    assert main(["topo", "check", str(lab)]) == 1
    assert f"{lab}:1: no node is a host; mark the hosts (kind: host), or add some" in capsys.readouterr().err
    assert main(["topo", "check", str(lab), "--hosts-per-switch", "2"]) == 0
    assert capsys.readouterr().out == "lab: ok, 6 hosts, 3 switches, 8 links\n"


def test_options_without_effect_are_refused(capsys):
    said = "ringlab: --rate and --hosts-per-switch are for files; in a short form write rate=100G, hosts=2\n"
    for words in (["--rate", "1G"], ["--hosts-per-switch", "2"]):
        assert main(["topo", "show", SHORT, *words]) == 2
        assert capsys.readouterr().err == said
    assert main(["topo", "show", SHORT, "--rate", "fast"]) == 2
    assert capsys.readouterr().err.startswith("ringlab: --rate: 'fast' is not a rate")


def test_a_format_can_be_forced(tmp_path, capsys):
    path = tmp_path / "fabric"
    path.write_text(graphml.dumps(replace(FABRIC, name="forced")))
    assert main(["topo", "check", str(path), "--from", "graphml"]) == 0
    assert main(["topo", "check", str(path)]) == 0
    assert main(["topo", "check", str(path), "--from", "containerlab"]) == 1
    assert capsys.readouterr().out.count("forced: ok") == 2


def test_a_file_that_is_no_text_is_refused(tmp_path, capsys):
    path = tmp_path / "f.graphml"
    path.write_bytes(b"<graphml>\n\xff\xfe</graphml>")
    assert main(["topo", "check", str(path)]) == 2
    assert capsys.readouterr().err == f"ringlab: {path}:2: is not UTF-8 text; save it as UTF-8\n"
