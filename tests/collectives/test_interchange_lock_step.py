from collectives.interchange.lock_step import Batch, Move, steps
from collectives.schedule import Op


def move(src, dst, chunk=0, needs=0, makes=1):
    return Move(src, dst, chunk, needs, makes, Op.REDUCE)


def test_an_exchange_is_one_step():
    assert steps([Batch((move(0, 1),)), Batch((move(1, 0),))]) == [0, 0]


def test_a_chain_is_a_step_each_whatever_the_order():
    assert steps([Batch((move(1, 2, needs=1),)), Batch((move(0, 1),))]) == [1, 0]


def test_what_makes_two_versions_of_one_chunk_comes_one_after_the_other():
    assert steps([Batch((move(1, 0, makes=2),)), Batch((move(2, 0),)), Batch((move(3, 0, makes=3),))]) == [1, 0, 2]


def test_a_version_is_replaced_when_nobody_needs_it_any_more():
    """Rank 1 must send chunk 0 as it was; it can do so at step 1 only, when rank 2 takes it."""
    later = Batch((move(1, 2, makes=2),))
    assert steps([Batch((move(0, 1),)), later, Batch((move(3, 2),))]) == [1, 1, 0]


def test_the_program_s_order_is_kept():
    one, other = (move(0, 1),), (move(0, 2),)
    assert steps([Batch(one), Batch(other, after=(0,))]) == [0, 1]
    assert steps([Batch(one), Batch(other, beside=(0,))]) == [0, 0]
    assert steps([Batch((move(0, 3), move(3, 1, chunk=1))), Batch(other, beside=(0,))]) == [0, 0]


def test_what_can_never_go_has_no_step():
    assert steps([Batch((move(0, 1, needs=1),)), Batch((move(1, 0, needs=1),))]) == [None, None]
    assert steps([]) == []
