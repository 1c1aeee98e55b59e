import json
from xml.etree import ElementTree as ET

import pytest

from ringlab.cli import main
from topologies.formats import dumps, from_data, loads
from topologies.leaf_spine import leaf_spine

SHORT = "leaf-spine:leaves=2,spines=1,hosts=1,fabric_rate=25G"
FABRIC = leaf_spine(2, 1, 1, fabric_rate_bps=25 * 10**9)


def test_show_prints_measures_and_links(capsys):
    assert main(["topo", "show", SHORT]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "leaf-spine-2x1x1: 2 hosts, 3 switches, 4 links"
    assert "line rate         25Gb/s" in out
    assert "oversubscription  4:1" in out
    assert "diameter          4 links" in out
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
