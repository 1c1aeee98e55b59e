"""Progress goes to standard error: a bar for who watches, lines for who asks, nothing into other pipes."""

from ringlab.experiments.progress import talk


def test_a_pipe_is_left_alone(monkeypatch, capsys):
    monkeypatch.delenv("RINGLAB_PROGRESS")
    with talk(total=1) as progress:
        progress.say("building")
        progress.step("block 1")
    assert capsys.readouterr() == ("", "")


def test_who_asks_for_lines_gets_one_for_everything(monkeypatch, capsys):
    monkeypatch.setenv("RINGLAB_PROGRESS", "lines")
    with talk(total=2) as progress:
        progress.say("building")
        progress.step("block 1")
        progress.step("block 2")
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(" s  ")[1] for line in err.splitlines()] == ["building", "block 1", "block 2"]


def test_a_terminal_gets_one_bar(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with talk(total=2) as progress:
        progress.say("building")
        progress.step("block 1")
        progress.step("block 2")
    assert "2" in capsys.readouterr().err
