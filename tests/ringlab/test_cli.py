"""The command line's manners: exit codes, one line an error, examples first, quick help."""

import json
import subprocess
import sys
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

import ringlab
from ringlab import cli
from ringlab.errors import CheckError, MachineError, RinglabError, RunError, UsageError
from ringlab.json_output import write_json

ROOT = Path(__file__).parents[2]
HEAVY = {"numpy", "networkx", "scipy", "pydantic", "matplotlib", "rich", "yaml", "mininet"}


@pytest.fixture
def failing(monkeypatch):
    """``failing(error)`` makes ``ringlab fail`` raise it."""

    def install(error):
        def fail():
            raise error

        monkeypatch.setattr(cli.command, "summaries", {**cli.COMMANDS, "fail": "Fails."})
        monkeypatch.setattr(cli.command, "get_command", lambda *_: click.Command("fail", callback=fail))

    return install


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CheckError("no"), 1, "ringlab: no\n"),
        (UsageError("a.yaml:1: x\na.yaml:2: y"), 2, "ringlab: a.yaml:1: x\nringlab: a.yaml:2: y\n"),
        (MachineError("not root"), 3, "ringlab: not root\n"),
        (RunError("rank 3 died"), 4, "ringlab: rank 3 died\n"),
        (RinglabError(""), 4, "ringlab: \n"),
        (KeyboardInterrupt(), 130, "ringlab: interrupted\n"),
        (click.UsageError("Bad thing."), 2, "ringlab: Bad thing; see: ringlab fail --help\n"),
        (click.FileError("x", "gone"), 2, "ringlab: Could not open file 'x': gone; see: ringlab --help\n"),
    ],
)
def test_an_error_is_its_exit_code_and_its_lines(failing, capsys, error, code, said):
    failing(error)
    assert cli.main(["fail"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.lstrip("\n") == said


def test_an_error_of_our_own_is_owned_up_to(failing, capsys):
    failing(KeyError("x"))
    assert cli.main(["fail"]) == 4
    assert "KeyError: 'x'; this is an error of ringlab: run again with --debug" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--debug", "fail"], ["fail", "--debug"]])
def test_a_traceback_comes_only_when_asked_for(failing, capsys, words):
    failing(UsageError("wrong"))
    assert cli.main(words) == 2
    assert "Traceback" in capsys.readouterr().err
    assert cli.main(["fail"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tpo"], "no command 'tpo'; did you mean 'topo'?; see: ringlab --help"),
        (["xyzzy"], "no command 'xyzzy'; there are doctor, topo, schedule, run"),
        (["topo", "shw"], "no command 'shw'; did you mean 'show'?; see: ringlab topo --help"),
        (["topo", "show"], "Missing argument 'FABRIC'; see: ringlab topo show --help"),
        (["topo", "show", "x", "--jsn", "-"], "No such option"),
        (["--nope"], "No such option"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(capsys, words, said):
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ringlab: ")
    assert said in err
    assert err.count("\n") == 1


def test_no_command_at_all_gets_the_help(capsys):
    assert cli.main([]) == 2
    assert "Examples:" in capsys.readouterr().err


def test_help_names_every_command_and_the_exit_codes(capsys):
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in cli.COMMANDS)
    assert "130 interrupted" in said


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there_and_begins_its_help_with_examples(capsys, name):
    assert find_spec(f"ringlab.commands.{name}"), f"ringlab/commands/{name}.py is missing"
    assert cli.main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Examples:\n  ringlab {name}") or (
        said.startswith("Examples:\n") and f"ringlab {name}" in said
    )
    assert said.index("Examples:") < said.index("Usage:")


def test_the_version_is_that_of_the_package(capsys):
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"ringlab {config['metadata']['version']}\n"
    assert ringlab.__version__ == config["metadata"]["version"]


def test_help_imports_nothing_heavy():
    script = (
        "import sys; from ringlab.cli import main; assert main(['--help']) == 0; "
        f"heavy = sorted({HEAVY!r} & set(sys.modules)); sys.exit(f'imports {{heavy}}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "ringlab", "tpo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")


def test_json_goes_to_a_file_or_to_standard_output(tmp_path, capsys):
    write_json("-", {"a": [1.5, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None]}
    write_json(str(tmp_path / "new" / "x.json"), {"a": 1})
    assert json.loads((tmp_path / "new" / "x.json").read_text()) == {"a": 1}
    with pytest.raises(UsageError, match=r"can't be written: .*; name another file"):
        write_json(str(tmp_path), {})
