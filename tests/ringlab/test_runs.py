"""Runs that were kept: the index that is never the truth, tags, differences, and what is never deleted."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlab.cli import main
from ringlab.errors import UsageError
from ringlab.experiments import runs_diff, runs_entry, runs_folder, runs_index, runs_tags, store
from ringlab.experiments.result import Certificate, dumps

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def put(tmp_path, make_result):
    """``put("a", ...)``: a run in ``tmp_path/runs``, without its plots."""

    def run(suffix="3f7a", name="leaf-spine", at="2026-03-14T15:09:26+00:00", verdict="valid", **changes):
        id_ = store.run_id(datetime.fromisoformat(at), name, suffix)
        certificate = Certificate(verdict, ("21 % of the CPU was idle",), ())
        result = make_result(sizes=(1 << 20,), certificate=certificate, id=id_, name=name, created=at, **changes)
        return store.save_files(tmp_path / "runs" / id_, {store.RESULT: dumps(result).encode()})

    return run


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


def ids(root, **filters):
    return [run.entry.id[-4:] for run in runs_index.chosen(runs_index.listed(root), **filters)]


def test_runs_are_listed_by_time_and_say_what_they_are(put, root):
    put("bbbb", at="2026-03-15T00:00:00+00:00")
    put("aaaa")
    first = runs_index.listed(root)[0]
    assert ids(root) == ["aaaa", "bbbb"]
    assert (first.entry.kind, first.entry.backend, first.entry.verdicts) == ("run", "emulated", ("valid",))
    assert first.entry.what == "ring allreduce, 8 ranks: spanning-tree, ecmp, pinned"


def test_filters(put, root):
    put("aaaa", name="ring")
    folder = put("bbbb", at="2026-11-20T00:00:00+00:00", verdict="invalid", failure="h3 is gone")
    put("cccc", at="2026-11-26T00:00:00+00:00", fingerprint={"backend": "simulated"})
    runs_tags.add(folder, ["keep"])
    assert ids(root, name="LEAF") == ["bbbb", "cccc"]
    assert ids(root, backend="simulated") == ["cccc"]
    assert ids(root, tag="keep") == ["bbbb"]
    assert ids(root, verdict="invalid") == ids(root, verdict="failed") == ["bbbb"]
    assert ids(root, since=runs_index.moment("3d", NOW)) == ["cccc"]
    assert ids(root, since=runs_index.moment("2026-11-20", NOW)) == ["bbbb", "cccc"]
    assert ids(root, name="leaf", verdict="valid") == ["cccc"]


def test_moments():
    assert runs_index.moment("12h", NOW) == NOW - timedelta(hours=12)
    assert runs_index.moment("2026-11-27T11:00:00+01:00", NOW) == NOW - timedelta(hours=2)
    for wrong in ("soon", "7y", "", "-1d", "999999999999d"):
        with pytest.raises(UsageError, match="is no time"):
            runs_index.moment(wrong, NOW)


def test_the_index_saves_reading_and_is_never_the_truth(put, root, monkeypatch):
    first, second = put("aaaa"), put("bbbb")
    before = runs_index.listed(root)
    read = []
    usual = runs_entry.read
    monkeypatch.setattr(runs_entry, "read", lambda folder, file: read.append(folder.name) or usual(folder, file))
    assert runs_index.listed(root) == before
    assert read == []
    shutil.rmtree(first)  # by hand
    file = second / store.RESULT
    file.write_text(file.read_text().replace('"valid"', '"doubtful"'))
    (run,) = runs_index.listed(root)
    assert (run.entry.verdicts, read) == (("doubtful",), [second.name])


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"schema": 0}', '{"schema": 1, "runs": {"x": 3}}', "\udcff"])
def test_an_index_that_is_lost_or_torn_is_made_anew(put, root, torn):
    put("aaaa")
    before = runs_index.listed(root)
    index = root / runs_index.INDEX
    index.write_bytes(torn.encode("utf-8", "surrogateescape"))
    assert runs_index.listed(root) == before
    assert json.loads(index.read_text())["schema"] == runs_index.SCHEMA
    index.unlink()
    assert runs_index.listed(root) == before


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"arms": 3, "certificate": 1, "collective": 2}', "\x00"])
@pytest.mark.parametrize("file", [store.RESULT, store.AB])
def test_a_broken_run_is_listed_as_broken_and_breaks_nothing(put, root, file, content):
    put("aaaa")
    (root / "zzzz").mkdir()
    (root / "zzzz" / file).write_text(content)
    assert ids(root) == ["zzzz", "aaaa"]
    broken = runs_index.listed(root)[0]
    assert (broken.entry.kind, broken.entry.what) == ("broken", f"{file} is not what a run writes")
    with pytest.raises(UsageError, match="nobody knows what it is"):
        runs_folder.delete(broken)


def test_what_is_no_run_is_not_listed(put, root):
    put("aaaa")
    (root / "notes").mkdir()
    (root / ".half.partial").mkdir()
    (root / ".half.partial" / store.RESULT).write_text("{}")
    (root / "file").write_text("")
    (root / "gone").symlink_to(root / "nowhere")
    assert ids(root) == ["aaaa"]


def test_a_sweep_is_a_run_too(put, root):
    folder = root / "sweep-spines"
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text("base: x\n")
    line = json.dumps({"ok": True, "backend": "simulated"})
    (folder / "results.jsonl").write_text(f'{line}\n{line.replace("true", "false")}\n{{"torn')
    (run,) = runs_index.listed(root)
    assert (run.entry.kind, run.entry.name, run.entry.backend) == ("sweep", "spines", "simulated")
    assert (run.entry.what, run.entry.verdicts) == ("2 scenarios, 1 failed", ("failed",))
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds thesis\.tex, which no sweep wrote"):
        runs_folder.delete(run)
    (folder / "thesis.tex").unlink()
    runs_folder.delete(run)
    assert not folder.exists()


def test_a_run_is_found_by_a_part_of_its_id(put, root):
    put("aaaa")
    put("bbbb", at="2026-03-15T00:00:00+00:00")
    assert runs_folder.find(root, "aaaa").entry.id.endswith("aaaa")
    assert runs_folder.find(root, "last").entry.id.endswith("bbbb")
    assert runs_folder.find(root / "none", str(next(root.glob("*aaaa")))).entry.id.endswith("aaaa")
    with pytest.raises(UsageError, match="is in 2 ids"):
        runs_folder.find(root, "leaf")
    with pytest.raises(UsageError, match="no run 'cccc'"):
        runs_folder.find(root, "cccc")
    with pytest.raises(UsageError, match="no such folder"):
        runs_folder.find(root / "none", "cccc")


def test_only_a_run_that_lies_where_it_was_put_is_deleted(put, root, tmp_path):
    folder = put("aaaa")
    moved = folder.rename(root / "important")
    with pytest.raises(UsageError, match="rename it back"):
        runs_folder.delete(runs_folder.find(root, "important"))
    folder = moved.rename(folder)
    elsewhere = folder.rename(tmp_path / folder.name)
    folder.symlink_to(elsewhere)
    with pytest.raises(UsageError, match="is a link"):
        runs_folder.delete(runs_folder.find(root, "aaaa"))
    folder.unlink()
    folder = elsewhere.rename(folder)
    runs_folder.delete(runs_folder.find(root, "aaaa"))
    assert sorted(path.name for path in root.iterdir()) in ([], [runs_index.INDEX])


def test_tags_are_a_plain_file_in_the_runs_own_folder(put):
    folder = put("aaaa")
    assert runs_tags.add(folder, ["paper", "fig-2", "paper"]) == ("fig-2", "paper")
    assert (folder / "tags.txt").read_text() == "fig-2\npaper\n"
    assert runs_tags.remove(folder, ["paper"]) == ("fig-2",)
    assert runs_tags.remove(folder, ["paper"]) == ("fig-2",)
    assert runs_tags.remove(folder, ["fig-2"]) == ()
    assert not (folder / "tags.txt").exists()
    for wrong in ("two words", "", "-x", "a/b", "a\nb"):
        with pytest.raises(UsageError, match="is no tag"):
            runs_tags.add(folder, [wrong])


def test_two_runs_differ_in_spec_machine_and_figures(make_result):
    one = make_result(sizes=(1 << 20,), fingerprint={"kernel": "6.1", "cores": 2})
    other = replace(
        one, spec={**one.spec, "sizes": ["64K", "1M"]}, scale=100.0, fingerprint={"kernel": "6.8", "cores": 2}
    )
    found = runs_diff.diff(json.loads(dumps(one)), json.loads(dumps(other)))
    assert [(c.field, c.one, c.other) for c in found.spec] == [("sizes.1", "16M", "1M"), ("scale", 250.0, 100.0)]
    assert [(c.field, c.one, c.other) for c in found.fingerprint] == [("kernel", "6.1", "6.8")]
    assert {figure.ratio for figure in found.figures} == {1.0}
    assert len(found.figures) == len(one.arms)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(plain, plain)
def test_there_is_a_difference_only_where_there_is_one(one, other):
    assert list(runs_diff.changes(one, one)) == []
    if one != other:
        assert list(runs_diff.changes(one, other))


@pytest.fixture
def runs(capsys, root):
    def run(*argv):
        code = main(["runs", *argv, "--runs", str(root)])
        said = capsys.readouterr()
        return code, said.out, said.err.splitlines()

    return run


def test_the_command_lists_shows_tags_and_compares(put, runs):
    put("aaaa")
    put("bbbb", at="2026-03-15T00:00:00+00:00", scale=100.0)
    assert runs("tag", "aaaa", "keep")[1] == "20260314T150926Z-leaf-spine-aaaa: keep\n"
    code, out, _ = runs("list", "--tag", "keep")
    assert code == 0
    assert [line.split()[0][-4:] for line in out.splitlines()[1:]] == ["aaaa"]
    assert json.loads(runs("list", "--json", "-")[1])[0]["tags"] == ["keep"]
    out = runs("show", "aaaa")[1]
    assert out.startswith("run      20260314T150926Z-leaf-spine-aaaa\n")
    assert "Verdict: valid" in out
    assert json.loads(runs("show", "aaaa", "--json", "-")[1])["result"]["ranks"] == 8
    out = runs("diff", "aaaa", "bbbb")[1]
    assert "scale  250.0  100.0" in out
    assert json.loads(runs("diff", "aaaa", "bbbb", "--json", "-")[1])["spec"][0]["field"] == "scale"
    assert runs("untag", "aaaa", "keep")[1].endswith("no tags\n")


def test_the_command_asks_before_it_deletes(put, runs, monkeypatch):
    folder = put("aaaa")
    monkeypatch.setattr("click.confirm", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert runs("delete", "aaaa")[0] == 130
    assert folder.exists()
    assert runs("delete", "aaaa", "--yes")[:2] == (0, f"deleted {folder}\n")
    assert not folder.exists()


def test_nothing_is_deleted_where_one_of_several_can_not_be(put, runs, root):
    folder = put("aaaa")
    (root / "zzzz").mkdir()
    (root / "zzzz" / store.RESULT).write_text("{")
    code, _, said = runs("delete", "aaaa", "zzzz", "--yes")
    assert (code, folder.exists()) == (2, True)
    assert "nobody knows what it is" in said[0]


def test_a_folder_that_can_not_be_written_is_listed_all_the_same(put, root, monkeypatch):
    def refused(*_):
        raise UsageError("read-only")

    monkeypatch.setattr(runs_index, "write_text", refused)
    put("aaaa")
    assert ids(root) == ["aaaa"]
    assert not (root / runs_index.INDEX).exists()


def test_an_ab_is_shown_as_it_was_printed(runs, root, capsys):
    spec = root.parent / "ab.yaml"
    spec.write_text(
        "base: {fabric: 'leaf-spine:leaves=4,spines=2,hosts=2', placement: interleaved, algorithm: ring, sizes: [4M]}\n"
        "arms: {pinned: {policy: pinned}, one: {policy: pinned, fabric.spines: 1}}\nbackend: simulated\nseed: 1\n"
    )
    assert main(["ab", str(spec), "--out", str(root)]) == 0
    printed = capsys.readouterr().out
    code, out, _ = runs("show", "last")
    assert code == 0
    table = printed[: printed.index("plots:")]
    assert out.endswith(table)
    assert "one is 0.50 [0.50, 0.50] times as fast as pinned at 4 MiB: slower" in table
    assert runs("list", "--verdict", "slower")[1].count("\n") == 2
    assert runs("diff", "last", "last")[1].count("the same") == 2
