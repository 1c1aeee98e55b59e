"""Which framework is picked where."""

from __future__ import annotations

import sys

import pytest

from controller import framework
from controller.framework import FrameworkError, pick


@pytest.mark.parametrize(
    ("python", "installed", "picked"),
    [
        ((3, 11), {"ryu", "os_ken"}, "ryu"),
        ((3, 11), {"os_ken"}, "os_ken"),
        ((3, 12), {"ryu", "os_ken"}, "os_ken"),
        ((3, 13), {"os_ken"}, "os_ken"),
    ],
)
def test_auto_takes_ryu_where_it_runs(monkeypatch, python, installed, picked):
    monkeypatch.setattr(sys, "version_info", python)
    monkeypatch.setattr(framework, "find_spec", lambda name: name if name in installed else None)
    assert pick() == picked


@pytest.mark.parametrize(
    ("python", "installed", "name", "message"),
    [
        ((3, 11), {"ryu"}, "os_ken", "os_ken is not installed: pip install os-ken"),
        ((3, 12), {"ryu"}, "ryu", "ryu 4.34 does not run on Python 3.12 and later: use --framework os_ken"),
        ((3, 12), {"ryu"}, "auto", "os_ken is not installed: pip install os-ken"),
        ((3, 11), set(), "auto", "os_ken is not installed: pip install os-ken"),
    ],
)
def test_what_cannot_run_is_said(monkeypatch, python, installed, name, message):
    monkeypatch.setattr(sys, "version_info", python)
    monkeypatch.setattr(framework, "find_spec", lambda name: name if name in installed else None)
    with pytest.raises(FrameworkError) as error:
        pick(name)
    assert str(error.value) == message
