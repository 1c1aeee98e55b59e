import pytest

from collectives.interchange.msccl_document import ProgramError
from collectives.interchange.msccl_execution import OWN
from collectives.interchange.versions import chain
from collectives.schedule import Op


def test_sums_that_grow_add_what_is_new():
    found = chain([(OWN,), (OWN, 4)], (4, OWN, 7, 5), "gpu 0, chunk 0")
    assert found.made == {4: (1, Op.REDUCE), 7: (2, Op.REDUCE), 5: (3, Op.REDUCE)}
    assert found.at == {frozenset({OWN}): 0, frozenset({OWN, 4}): 1, frozenset({OWN, 4, 7, 5}): 3}


def test_what_comes_last_replaces_the_sum():
    found = chain([(OWN, 1), (OWN,)], (3,), "")
    assert found.made == {1: (1, Op.REDUCE), 3: (2, Op.COPY)}


def test_the_first_that_comes_to_nothing_is_copied():
    assert chain([(2, 3)], None, "").made == {2: (1, Op.COPY), 3: (2, Op.REDUCE)}


def test_what_was_there_goes_first_though_it_is_sent_later():
    found = chain([(8,), (OWN,)], (8,), "")
    assert found.at == {frozenset({OWN}): 0, frozenset({8}): 1}


@pytest.mark.parametrize(
    ("uses", "last"),
    [
        ([(OWN, 1), (OWN, 2)], None),
        ([(1,), (1, 2), (1, 3)], None),
        ([(1,)], (OWN, 2)),
        ([(OWN, 1), (1,)], None),
    ],
)
def test_two_versions_at_once_are_refused(uses, last):
    with pytest.raises(ProgramError, match="gpu 5, chunk 6: two versions of it are needed at once"):
        chain(uses, last, "gpu 5, chunk 6")
