import subprocess
import sys

import pytest

from collectives.perf import layout

WHERE = "import ctypes; print(ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value)"


@pytest.fixture(autouse=True)
def _afresh():
    layout.alike.cache_clear()
    yield
    layout.alike.cache_clear()


def _where() -> str:
    return subprocess.check_output([*layout.alike(), sys.executable, "-c", WHERE], text=True)


def test_processes_lie_at_the_same_addresses():
    if not layout.alike():
        pytest.skip("this system does not let a process choose its addresses")
    assert len({_where() for _ in range(3)}) == 1


def test_where_the_system_refuses_processes_start_all_the_same(monkeypatch):
    monkeypatch.setattr(layout, "_PLAIN", ("false",))
    assert layout.alike() == ()
    assert _where()


def test_where_there_is_no_such_program_they_do_too(monkeypatch):
    monkeypatch.setattr(layout, "_PLAIN", ("no-such-program",))
    assert layout.alike() == ()
