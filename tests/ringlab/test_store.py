"""runs/<id>/: whole or not there, never overwritten."""

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ringlab.errors import RunError, UsageError
from ringlab.experiments import store
from ringlab.text_files import write_text

AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
TEXTS = {("pinned", 1): "# nccl-tests\n 1 2 3\n", ("ecmp:seed=1", 1): "# nccl-tests\n 4 5 6"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("leaf-spine", "20260314T150926Z-leaf-spine-3f7a"),
        ("My first run!", "20260314T150926Z-my-first-run-3f7a"),
        ("../../etc/passwd", "20260314T150926Z-etc-passwd-3f7a"),
        ("", "20260314T150926Z-run-3f7a"),
        ("x" * 300, f"20260314T150926Z-{'x' * 40}-3f7a"),
    ],
)
def test_an_id_sorts_by_time_and_is_a_safe_folder_name(name, expected):
    assert store.run_id(AT, name, "3f7a") == expected


def test_an_id_is_in_universal_time():
    here = AT.astimezone(timezone(timedelta(hours=9)))
    assert store.run_id(here, "a", "b") == "20260314T150926Z-a-b"


def test_a_run_is_kept_with_all_its_files_and_read_back(tmp_path, make_result):
    result = make_result()
    folder = store.save(tmp_path / "runs", result, TEXTS, "fabric: x\n")
    assert folder == tmp_path / "runs" / result.id
    assert {path.name for path in folder.iterdir()} == {
        "result.json",
        "nccl-tests.txt",
        "busbw.svg",
        "busbw.png",
        "spec.yaml",
    }
    assert (folder / "spec.yaml").read_text() == "fabric: x\n"
    first, second = "# nccl-tests\n 1 2 3\n", "# nccl-tests\n 4 5 6\n"
    text = (folder / "nccl-tests.txt").read_text()
    assert text == f"# ringlab arm pinned block 1\n{first}\n# ringlab arm ecmp:seed=1 block 1\n{second}"
    assert json.loads((folder / "result.json").read_text())["id"] == result.id
    assert store.load(folder) == store.load(folder / "result.json") == result


def test_a_run_is_never_overwritten(tmp_path):
    folder = store.save_files(tmp_path / "run", {"a": b"1"})
    with pytest.raises(RunError, match="never overwritten"):
        store.save_files(folder, {"a": b"2"})
    assert (folder / "a").read_bytes() == b"1"


def test_a_run_that_breaks_while_it_is_written_leaves_nothing(tmp_path):
    with pytest.raises(RunError, match="can't be written"):
        store.save_files(tmp_path / "run", {"a": b"1", "b/c": b"2"})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file/run: can't be written"):
        store.save_files(tmp_path / "file" / "run", {"a": b"1"})


def test_a_text_is_replaced_in_one_move(tmp_path):
    target = tmp_path / "new" / "result.json"
    write_text(target, "one")
    with target.open() as reader:
        write_text(str(target), "two")
        assert reader.read() == "one"  # a reader keeps the file it opened
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["result.json"]
    plain = tmp_path / "plain"
    plain.write_text("")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "through")
    reader.join(10)
    assert heard == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_is_no_file_to_write(tmp_path):
    with pytest.raises(UsageError, match="can't be written: Is a directory"):
        write_text(tmp_path, "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"{", "not JSON"), (b"\xff\xfe", "not text"), (b'{"schema": 9}', "found 9")],
)
def test_what_is_no_result_is_refused(tmp_path, content, message):
    file = tmp_path / "result.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        store.load(file)
