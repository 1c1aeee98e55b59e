"""The store of a sweep: whole lines, a torn last one survived, known records told, no two writers."""

import json

import pytest

from ringlab.errors import UsageError
from ringlab.sweeps.store import RESULTS, opened


def lines(folder):
    return (folder / RESULTS).read_text().splitlines()


def test_a_record_is_on_the_disk_at_once(tmp_path):
    with opened(tmp_path / "new", resume=False) as store:
        store.add({"id": "a", "ok": True})
        assert json.loads(lines(tmp_path / "new")[0]) == {"id": "a", "ok": True}
        store.add({"id": "b", "ok": True})
        assert len(lines(tmp_path / "new")) == 2


def test_what_is_known_is_told_the_later_of_two(tmp_path):
    with opened(tmp_path, resume=False) as store:
        assert store.known == {}
        store.add({"id": "a", "ok": False})
        store.add({"id": "a", "ok": True})
    with opened(tmp_path, resume=True) as store:
        assert store.known == {"a": {"id": "a", "ok": True}}


def test_results_are_never_overwritten_unasked(tmp_path):
    with opened(tmp_path, resume=False) as store:
        store.add({"id": "a", "ok": True})
    with pytest.raises(UsageError, match=r"is there already; --resume goes on"), opened(tmp_path, resume=False):
        pass
    assert len(lines(tmp_path)) == 1


@pytest.mark.parametrize(
    "torn", ['{"id":"b","o', '{"id": "b"}', "\0\0\0", '{"id":"\xe9"'.encode()[:-2].decode("latin-1")]
)
def test_a_torn_last_line_is_cut_off(tmp_path, torn):
    with opened(tmp_path, resume=False) as store:
        store.add({"id": "a", "ok": True})
    with (tmp_path / RESULTS).open("a") as file:
        file.write(torn)  # killed in the middle of it
    with opened(tmp_path, resume=True) as store:
        assert set(store.known) == {"a"}
        store.add({"id": "c", "ok": True})
    assert [json.loads(line)["id"] for line in lines(tmp_path)] == ["a", "c"]


def test_a_file_that_holds_but_a_torn_line_is_empty(tmp_path):
    (tmp_path / RESULTS).write_text('{"id":')
    with opened(tmp_path, resume=True) as store:
        assert store.known == {}
        store.add({"id": "a", "ok": True})
    assert [json.loads(line)["id"] for line in lines(tmp_path)] == ["a"]


@pytest.mark.parametrize("line", ["no json", "[1]", "{}", "3"])
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    (tmp_path / RESULTS).write_text(f'{{"id":"a"}}\n{line}\n{{"id":"b"}}\n')
    with pytest.raises(UsageError, match=r"results\.jsonl:2: is no record"), opened(tmp_path, resume=True):
        pass


def test_two_sweeps_do_not_write_to_one_file(tmp_path):
    with (
        opened(tmp_path, resume=True),
        pytest.raises(UsageError, match="another sweep writes to it"),
        opened(tmp_path, resume=True),
    ):
        pass
    with opened(tmp_path, resume=True):
        pass


def test_a_folder_that_can_not_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match=r"can't be written: .*; name another folder"),
        opened(tmp_path / "file", resume=True),
    ):
        pass
