"""A lab's record: written first, locked while the lab lives, readable when it is dead."""

import os

import pytest

from emulation import lab
from emulation.errors import MachineError
from emulation.plan import Plan
from topologies.leaf_spine import leaf_spine

PLAN = Plan(leaf_spine(2, 1, 1), "rtest")


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "RECORDS", tmp_path)
    return tmp_path


def test_the_record_names_all_that_will_be_made(records):
    with lab.Lab(PLAN) as living:
        found = lab.Record.read(living.path)
        assert found.bridges == ["rtest-leaf1", "rtest-leaf2", "rtest-spine1"]
        assert set(found.interfaces) == {f"rtest-leaf{i}-{p}" for i in (1, 2) for p in (1, 2)} | {
            "rtest-spine1-1",
            "rtest-spine1-2",
        }
        living.forget()
    assert not list(records.iterdir())


def test_a_record_stays_until_all_it_lists_is_gone(records):
    with pytest.raises(ZeroDivisionError), lab.Lab(PLAN):
        raise ZeroDivisionError  # as where removal fails: what is left must be found later
    assert [path.name for path in records.iterdir()] == ["rtest.json"]
    assert not lab.is_alive(records / "rtest.json")


def test_a_living_lab_is_seen_to_live_and_a_dead_one_to_be_dead():
    child = os.fork()
    if not child:
        lab.Lab(PLAN).__enter__()
        os._exit(0)  # as kill -9 would: no clean-up
    os.waitpid(child, 0)
    path = lab.RECORDS / "rtest.json"
    assert not lab.is_alive(path)
    path.unlink()
    with lab.Lab(PLAN) as living:
        assert lab.is_alive(living.path)
    assert not lab.is_alive(path)


def test_processes_are_known_by_pid_and_start_time():
    with lab.Lab(PLAN) as living:
        living.add_process(os.getpid())
        assert lab.Record.read(living.path).processes == [(os.getpid(), lab.start_time(os.getpid()))]
        living.add_process(2**22 + 1)  # there is no such process: nothing to end later
        assert len(living.record.processes) == 1


def test_tags_are_new_and_fit_interface_names():
    tags = {lab.new_tag() for _ in range(50)}
    assert len(tags) > 45
    assert all(len(tag) == lab.TAG_LENGTH and tag.isalnum() for tag in tags)


def test_whether_a_lab_lives_is_seen_without_the_right_to_write(monkeypatch):
    with lab.Lab(PLAN) as living:
        real = os.open

        def readable(path, flags, *mode):
            if flags & (os.O_RDWR | os.O_WRONLY):
                raise PermissionError
            return real(path, flags, *mode)

        monkeypatch.setattr(lab.os, "open", readable)
        assert lab.is_alive(living.path)
        with pytest.raises(MachineError, match="needs root: run it with sudo"):
            lab.Lab(PLAN).__enter__()
    assert not lab.is_alive(living.path)
