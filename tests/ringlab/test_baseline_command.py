"""``ringlab baseline``, as a user types it."""

import json

import pytest
from click.testing import CliRunner

from ringlab.cli import main
from ringlab.commands.baseline import command
from ringlab.errors import UsageError
from ringlab.experiments.baselines import choose

LOG = """\
# Collective test starting: all_reduce_perf
#  Rank  0 Group  0 Pid  15784 on  n1 device  0 [0009:01:00] NVIDIA H100
#  Rank  1 Group  0 Pid  15785 on  n2 device  0 [0019:01:00] NVIDIA H100
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong
     1048576        262144     float     sum      -1   100.00   10.49   10.49       0   335.85    3.12    4.68       0
"""


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "mine.log"
    file.write_text(LOG)
    return file


def run(*words, text=None):
    found = CliRunner().invoke(command, [str(word) for word in words], input=text, catch_exceptions=False)
    return found.output


def refused(capsys, *words):
    assert main(["baseline", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_the_list_names_every_baseline_with_its_share(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("list").splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if line.startswith("gh200-16x4"))
    assert row.split() == ["gh200-16x4-slingshot11-allreduce-ofi192", "16x4", "4GiB", "92.05", "92.0%"]
    assert any(line.startswith("NVIDIA GH200 120GB: HPE Slingshot-11") for line in lines)


def test_the_list_of_one_collective():
    text = run("list", "--collective", "alltoall")
    assert "a100-2x4-slingshot-alltoall-nccl2.18-polaris" in text
    assert "allreduce" not in text


def test_the_list_as_json_alone_on_standard_output():
    rows = json.loads(run("list", "--json", "-"))
    row = next(row for row in rows if row["name"] == "h100-1x8-nvswitch-allreduce-dgxc")
    assert (row["nranks"], row["sizes"], row["nominal_line_rate_GBps"]) == (8, 32, 450)
    assert row["best"]["line_share"] == pytest.approx(1.067, abs=0.001)


def test_json_goes_to_a_file_beside_the_table(tmp_path):
    assert "a100-4x8" in run("list", "--json", tmp_path / "list.json")
    assert len(json.loads((tmp_path / "list.json").read_text())) == 26


def test_show_gives_every_size_and_says_where_the_line_rate_comes_from():
    text = run("show", "a100-4x8-hdr-ib-allreduce")
    assert '200 GB/s (node NICs: "8 x 200 Gb/s HDR InfiniBand = 200 GB/s per node"' in text
    assert "github.com/NVIDIA/deepops" in text
    assert next(line for line in text.splitlines() if "4 GiB" in line).split()[-2:] == ["95.5", "%"]
    assert sum("iB  " in line for line in text.splitlines()) == 13


def test_show_as_json():
    data = json.loads(run("show", "a100-4x8-hdr-ib-allreduce", "--json", "-"))
    assert len(data["points"]) == 13
    assert data["points"][-1]["line_share"] == pytest.approx(0.955, abs=0.001)


def test_show_reads_a_user_s_own_output(log):
    text = run("show", "--file", log, "--line-rate", 25)
    assert "NVIDIA H100, 2 nodes x 1" in text
    assert "41.9 %" in text
    assert "41.9 %" in run("show", "--file", "-", "--line-rate", 25, text=LOG)
    assert "unknown (nccl-tests does not say" in run("show", "--file", log)


def test_choose_takes_a_file_or_a_name(log):
    assert choose(str(log), 25.0).best().line_share == pytest.approx(0.419, abs=0.001)
    assert choose("a100-4x8-hdr-ib-allreduce").nranks == 32
    with pytest.raises(UsageError, match="no published baseline 'tpu'"):
        choose("tpu")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "a100-4x8-hdr-allreduce"], "did you mean 'a100-4x8-hdr-ib-allreduce'?"),
        (["show"], "give either a NAME"),
        (["show", "a100-4x8-hdr-ib-allreduce", "--file", "x"], "give either a NAME"),
        (["show", "a100-4x8-hdr-ib-allreduce", "--line-rate", "3"], "--line-rate goes with --file"),
        (["show", "--file", "no/such.log"], "no/such.log: can't be read: No such file"),
        (["show", "--file", "x", "--line-rate", "0"], "must be above 0"),
        (["show", "--file", "x", "--line-rate", "nan"], "must be above 0"),
        (["list", "--collective", "allreduce"], "did you mean 'all_reduce'?"),
        (["lst"], "did you mean 'list'?"),
    ],
)
def test_a_wrong_command_line_gets_one_clear_line(capsys, words, message):
    assert message in refused(capsys, *words)


def test_a_file_that_is_no_output_of_nccl_tests(capsys, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    assert "no rows of nccl-tests in it" in refused(capsys, "show", "--file", file)
