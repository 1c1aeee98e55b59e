"""How a step is split, and what ranks say of their steps and errors."""

import pytest

from ringlab.training.steps import Marks, Step, covered_s, last_words, line, read, split


def test_a_step_is_computation_and_what_communication_is_exposed():
    marks = Marks(began=10.0, gradients_ready=10.5, reduced=10.8, ended=11.0, buckets=((10.2, 10.4), (10.3, 10.8)))
    step = split(1, 4, 0.25, marks, alone_s=0.6)
    assert step.exposed_s == pytest.approx(0.3)
    assert step.computation_s == pytest.approx(0.7)
    assert step.step_s == pytest.approx(1.0)
    assert step.communication_s == pytest.approx(0.6)
    assert (step.run, step.step, step.loss, step.began_s, step.buckets, step.alone_s) == (1, 4, 0.25, 10.0, 2, 0.6)


def test_what_arrives_before_the_last_gradient_is_hidden():
    step = split(0, 0, 1.0, Marks(0.0, 0.9, 0.9, 1.0, ((0.1, 0.8),)))
    assert step.exposed_s == 0.0
    assert step.communication_s == pytest.approx(0.7)


def test_moments_out_of_order_are_refused():
    with pytest.raises(ValueError, match="moments of step 3 are not in order"):
        split(0, 3, 1.0, Marks(0.0, 0.9, 0.8, 1.0, ()))


@pytest.mark.parametrize(
    ("intervals", "seconds"),
    [
        ([], 0),
        ([(1, 3)], 2),
        ([(1, 3), (2, 4)], 3),
        ([(2, 3), (1, 5)], 4),
        ([(4, 5), (1, 2)], 2),
        ([(1, 2), (2, 3)], 2),
    ],
)
def test_intervals_cover_time_once(intervals, seconds):
    assert covered_s(intervals) == seconds


def test_steps_go_to_a_file_and_back_without_a_line_that_was_cut_short():
    steps = [Step(0, number, 0.5, 1.5, 0.1, 0.2, 0.3, 4) for number in range(3)]
    text = "".join(map(line, steps))
    assert list(read(text)) == steps
    assert list(read(text[:-5])) == steps[:2]
    assert list(read("")) == []


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("rank 1 (10.0.0.2) lost rank 0 (10.0.0.1) at step 2: reset", None),
        ("Exception raised from wait:\nTransportError: rank 1 (10.0.0.2) lost rank 0", "rank 1 (10.0.0.2) lost rank 0"),
        ("Connection closed by peer\n  more", "rank 3 (10.0.0.4), gloo: Connection closed by peer"),
        ("no rank is here", "rank 3 (10.0.0.4), gloo: no rank is here"),
        ("", "rank 3 (10.0.0.4), gloo: an error without a word"),
    ],
)
def test_an_error_is_one_line_that_names_a_rank(said, line):
    assert last_words(said, "rank 3 (10.0.0.4)", "gloo") == (line or said)
