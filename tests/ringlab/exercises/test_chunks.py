"""Who holds what, as text."""

from collectives.algorithms.ring import ring
from ringlab.exercises.chunks import made, show


def _phases(n):
    return list(ring(n).transfers())


def test_it_shows_sums_growing(capsys):
    show(3, _phases(3))
    said = capsys.readouterr().out
    assert said.count("after step") == 4
    assert "0+1+2" in said
    assert said.endswith("proven: every rank ends with every rank's data exactly once\n")


def test_it_says_what_is_missing(capsys):
    show(3, _phases(3)[:3])
    assert "not right yet: rank 0 chunk 0" in capsys.readouterr().out


def test_phases_follow_each_other():
    transfers = _phases(4)
    first = [one for one in transfers if one.step < 3]
    assert made(4, first, first).num_steps == 6
