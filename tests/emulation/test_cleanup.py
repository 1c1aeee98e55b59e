"""What ``clean`` removes and what it leaves alone."""

from pathlib import Path

import pytest

from emulation import cleanup


@pytest.fixture
def removed(monkeypatch):
    found: list[str] = []
    monkeypatch.setattr(cleanup, "put_back", list)
    monkeypatch.setattr(cleanup, "remove", lambda record: found.append(record.tag))
    return found


def test_a_lab_that_comes_up_while_cleaning_is_left_alone(removed, monkeypatch):
    records: list[Path] = []

    def bridges():
        records.append(Path("rnew2.json"))
        return {"rnew2": ["rnew2-leaf1"], "rdead": ["rdead-leaf1"]}

    monkeypatch.setattr(cleanup, "records", lambda: records)
    monkeypatch.setattr(cleanup, "is_alive", lambda _: True)
    monkeypatch.setattr(cleanup, "_marked_bridges", bridges)
    found = cleanup.clean()
    assert removed == ["rdead"]
    assert (found.removed, found.alive) == (("rdead",), ("rnew2",))
