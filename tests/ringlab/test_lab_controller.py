"""What a lab tells its controller when it starts it. Nothing is started here."""

from __future__ import annotations

import pytest

from emulation.plan import Plan, Settings
from ringlab.experiments import bench, parts_up
from topologies.leaf_spine import leaf_spine

PLAN = Plan(leaf_spine(2, 2, 1), "tests", Settings(scale=500))


class AskedError(Exception):
    """The options that a controller was to be started with."""


def ask(*_, options=(), **__):
    raise AskedError(*options)


def test_the_controller_is_told_how_much_slower_the_wires_are(monkeypatch):
    for module in (bench, parts_up):
        monkeypatch.setattr(module, "running_controller", ask)
    monkeypatch.setattr(bench, "require_machine", lambda: None)
    with pytest.raises(AskedError) as lab, bench.fabric_up(PLAN, str, controller_options=["--poll", "1"]):
        pass
    assert lab.value.args == ("--scale", "500", "--poll", "1")
    with pytest.raises(AskedError) as part, parts_up._leading(PLAN, None, str, "192.0.2.1:6653", "auto"):
        pass
    assert part.value.args == ("--scale", "500")
