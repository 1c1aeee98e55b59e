"""``ringlab baseline``, as a user types it."""

import json

import pytest
from click.testing import CliRunner

from collectives.baseline import published
from ringlab import completions
from ringlab.cli import main
from ringlab.commands.baseline import command
from ringlab.errors import UsageError
from ringlab.experiments import baseline_plot
from ringlab.experiments.baselines import choose, wrong_name
from ringlab.experiments.spec import read as read_spec

LOG = """\
# Collective test starting: all_reduce_perf
#  Rank  0 Group  0 Pid  15784 on  n1 device  0 [0009:01:00] NVIDIA H100
#  Rank  1 Group  0 Pid  15785 on  n2 device  0 [0019:01:00] NVIDIA H100
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong
     1048576        262144     float     sum      -1   100.00   10.49   10.49       0   335.85    3.12    4.68       0
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A user's own baselines lie in the folder where ringlab is run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    assert len(json.loads((tmp_path / "list.json").read_text())) == 26 + 5  # sweeps of GPUs and MPI, and gloo's figures


def test_show_gives_every_size_and_says_where_the_line_rate_comes_from():
    text = run("show", "a100-4x8-hdr-ib-allreduce")
    assert '200 GB/s (node NICs: "8 x 200 Gb/s HDR InfiniBand = 200 GB/s per node"' in text
    assert "github.com/NVIDIA/deepops" in text
    assert next(line for line in text.splitlines() if "4 GiB" in line).split()[6:8] == ["95.5", "%"]
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
        (["show", "a100-4x8-hdr-ib-allreduce", "--line-rate", "3"], "--line-rate and --ranks go with --file"),
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


def test_an_import_is_known_everywhere(log, folder):
    run("import", log, "--name", "mine", "--line-rate", 25, "--network", "2 x 100G", "--note", "after the upgrade")
    assert (folder / "baselines" / "mine.json").is_file()
    text = run("list")
    assert text.index("yours, NVIDIA H100: 2 x 100G") < text.index("NVIDIA A100")
    assert next(line for line in text.splitlines() if line.startswith("mine")).split()[-2:] == ["10.49", "41.9%"]
    shown = run("show", "mine")
    assert "after the upgrade" in shown
    assert "3.122" in shown  # busbw in place: 1 MiB in 335.85 us
    assert choose("mine").nominal_line_rate_GBps == 25
    assert wrong_name("mine") is None
    rows = json.loads(run("list", "--json", "-"))
    assert [row["name"] for row in rows if row["own"]] == ["mine"]
    assert completions.baselines(None, None, "mi") == ["mine", "mi300x-1x8-xgmi-allreduce"]


def test_a_spec_may_name_an_import(log, folder):
    run("import", log, "--name", "mine")
    text = (
        "name: demo\nfabric: ring:switches=4,hosts=1\nalgorithm: ring\nsizes: [1M]\narms: [shortest]\nbaseline: mine\n"
    )
    (folder / "demo.yaml").write_text(text)
    assert read_spec(folder / "demo.yaml")[0].baseline == "mine"


def test_an_import_of_osu_needs_the_ranks(capsys, folder):
    (folder / "osu.txt").write_text("# OSU MPI Allreduce Latency Test v5.7\n# Size  Avg Latency(us)\n1048576  1000.0\n")
    assert "osu.txt: OSU's output does not say how many ranks" in refused(capsys, "import", "osu.txt", "--name", "mpi")
    run("import", "osu.txt", "--name", "mpi", "--ranks", 16, "--nodes", 16, "--line-rate", 12.5)
    assert choose("mpi").best().line_share == pytest.approx(1048576 / 1e-3 / 1e9 * 1.875 / 12.5)
    assert "16 nodes x 1" in run("show", "mpi")


def test_an_import_replaces_only_when_told(capsys, log, folder):
    run("import", log, "--name", "mine")
    assert "baselines/mine.json is there already" in refused(capsys, "import", log, "--name", "mine")
    run("import", log, "--name", "mine", "--line-rate", 50, "--replace")
    assert choose("mine").nominal_line_rate_GBps == 50
    (folder / "baselines" / "mine.json").write_text('{"ringlab_baseline": 1')
    assert "baselines/mine.json, line 1: not JSON" in refused(capsys, "show", "mine")


def test_a_kept_file_takes_what_is_stated_of_it(log, folder):
    run("import", log, "--name", "mine")
    kept = folder / "baselines" / "mine.json"
    assert "41.9 %" in run("show", "--file", kept, "--line-rate", 25)
    run("import", kept, "--name", "mine", "--line-rate", 400, "--gpu", "H200", "--replace")
    found = choose("mine")
    assert (found.nominal_line_rate_GBps, found.gpu, found.line_rate_why) == (400, "H200", "given with --line-rate")


def test_a_table_is_printed_again_from_its_figures(log):
    assert run("show", "--file", log, "--again") == LOG


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_plot_is_written(folder, suffix):
    run("plot", "a100-4x8-hdr-ib-allreduce", "cpu-2x1-40g-gloo-allreduce", "--out", f"x.{suffix}")
    start = (folder / f"x.{suffix}").read_bytes()[:5]
    assert start == {"svg": b"<?xml", "png": b"\x89PNG\r", "pdf": b"%PDF-"}[suffix]


def test_the_plot_shows_busbw_and_shares():
    known, unknown = choose("a100-4x8-hdr-ib-allreduce"), choose("cpu-2x1-tcp-gloo-allreduce")
    left, right = baseline_plot.figure([known, unknown]).axes
    assert [list(line.get_ydata()) for line in left.get_lines()] == [
        [reading.busbw_GBps for reading in baseline.readings()] for baseline in (known, unknown)
    ]
    shares, level = right.get_lines()
    assert list(shares.get_ydata()) == [reading.line_share for reading in known.readings()]
    assert set(level.get_ydata()) == {1.0}
    assert left.get_legend_handles_labels()[1][1] == "cpu-2x1-tcp-gloo-allreduce (line rate unknown)"


def test_lines_of_many_sweeps_differ():
    baselines = [choose(name) for name in published.names()[:14]]
    lines = baseline_plot.figure(baselines).axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 14


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "mine.log", "--name", "a100-4x8-hdr-ib-allreduce"], "a published baseline has this name"),
        (["import", "mine.log", "--name", "../x"], "'../x' is no name of a baseline"),
        (["import", "mine.log", "--name", "x", "--collective", "allreduce"], "did you mean 'all_reduce'?"),
        (["import", "mine.log", "--name", "x", "--line-rate", "-1"], "must be above 0"),
        (["import", "no.log", "--name", "x"], "no.log: can't be read"),
        (["plot", "a100-4x8-hdr-ib-allreduce", "--out", "x.gif"], "--out x.gif: name a file that ends in .svg"),
        (["plot", "tpu", "--out", "x.svg"], "no published baseline 'tpu'"),
        (["show", "a100-4x8-hdr-ib-allreduce", "--again"], "--again goes with --file"),
    ],
)
def test_a_wrong_import_or_plot_gets_one_clear_line(capsys, log, words, message):
    assert message in refused(capsys, *words)
