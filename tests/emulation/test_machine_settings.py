"""Settings of the whole machine are changed for a moment, and put back whatever happens."""

import fcntl
import json
import os
from pathlib import Path

import pytest

from emulation import lab
from emulation.errors import MachineError
from emulation.machine_settings import changed, put_back


@pytest.fixture
def setting(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "RECORDS", tmp_path / "records")
    file = tmp_path / "rmem_default"
    file.write_text("212992\n")
    return file


def larger(file):
    return changed({file: lambda value: str(int(value) * 2)})


def test_it_is_changed_inside_and_as_before_outside(setting):
    with larger(setting):
        assert setting.read_text() == "425984"
    assert setting.read_text().strip() == "212992"
    assert not put_back()


def test_an_error_puts_it_back(setting):
    with pytest.raises(ZeroDivisionError), larger(setting):
        raise ZeroDivisionError
    assert setting.read_text().strip() == "212992"


def killed_inside(setting):
    child = os.fork()
    if not child:
        moment = larger(setting)  # held, or its end would put things back
        moment.__enter__()
        os._exit(0)  # as kill -9 would: nothing is put back
    os.waitpid(child, 0)
    assert setting.read_text() == "425984"


def test_what_a_killed_lab_left_is_put_back_by_clean(setting):
    killed_inside(setting)
    assert put_back() == [str(setting)]
    assert setting.read_text().strip() == "212992"


def test_the_next_lab_starts_from_what_was_before_the_killed_one(setting):
    killed_inside(setting)
    with larger(setting):
        assert setting.read_text() == "425984"
    assert setting.read_text().strip() == "212992"


def test_what_a_living_lab_changes_is_left_alone(setting):
    killed_inside(setting)
    with (lab.RECORDS / "settings.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert put_back() == []
    assert setting.read_text() == "425984"
    assert json.loads((lab.RECORDS / "settings.json").read_text()) == {str(setting): "212992"}


@pytest.mark.parametrize("refused", ["mkdir", "open"])
def test_a_user_is_told_that_it_needs_root(setting, monkeypatch, refused):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(Path, refused, refuse)
    with pytest.raises(MachineError, match="/run/ringlab cannot be written, which needs root: run it with sudo"):
        put_back()
