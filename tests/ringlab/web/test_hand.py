"""A hand's cuts outlive the turns in which they are made."""

import threading
from types import SimpleNamespace

import pytest

from emulation.faults import Down, Restore
from ringlab.web import hand as hands
from ringlab.web.hand import Hand
from ringlab.web.source import RefusedError
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(2, 2, 1)


class Turn:
    """Stands for the outages of one turn: what it was asked for, until it is over."""

    def __init__(self, *_) -> None:
        self.asked, self.is_over = [], False

    def ask(self, fault):
        if not self.is_over:
            self.asked.append(fault.action)
        return not self.is_over


@pytest.fixture
def hand(monkeypatch):
    monkeypatch.setattr(hands, "Outages", Turn)
    return Hand(FABRIC)


def begin(hand):
    return hand.outages(SimpleNamespace(), (), SimpleNamespace(), print)


def link(name):
    return next(one for one in FABRIC.links if one.name == name)


def test_a_cut_is_asked_of_the_turn_and_of_every_turn_after_it(hand):
    turn = begin(hand)
    assert hand.set_link("leaf1-spine1", down=True)
    assert turn.asked == [Down(link("leaf1-spine1"))]
    hand.turn_ends()
    assert begin(hand).asked == [Down(link("leaf1-spine1"))]
    assert hand.set_link("leaf1-spine1", down=False)
    hand.turn_ends()
    assert begin(hand).asked == []


def test_a_restored_link_is_asked_for_by_its_name(hand):
    turn = begin(hand)
    hand.set_link("leaf1-spine1", down=True)
    hand.set_link("leaf1-spine1", down=False)
    assert turn.asked[1] == Restore(("link leaf1-spine1",))


def test_between_turns_it_holds_from_the_next_on(hand):
    assert not hand.set_link("leaf1-spine1", down=True)
    turn = begin(hand)
    assert turn.asked == [Down(link("leaf1-spine1"))]
    turn.is_over = True  # its ranks have ended, and nobody has told the hand yet
    assert not hand.set_link("leaf2-spine1", down=True)
    assert [action.link.name for action in begin(hand).asked] == ["leaf1-spine1", "leaf2-spine1"]


def test_what_is_so_already_and_what_is_not_there_is_refused(hand):
    begin(hand)
    with pytest.raises(RefusedError, match="not cut"):
        hand.set_link("leaf1-spine1", down=False)
    hand.set_link("leaf1-spine1", down=True)
    with pytest.raises(RefusedError, match="cut already"):
        hand.set_link("leaf1-spine1", down=True)
    with pytest.raises(RefusedError, match="did you mean"):
        hand.set_link("leaf1-spin1", down=True)


def test_two_pages_that_cut_the_same_link_at_once_cut_it_once(hand):
    turn, refused = begin(hand), []

    def cut():
        try:
            hand.set_link("leaf1-spine1", down=True)
        except RefusedError:
            refused.append(1)

    threads = [threading.Thread(target=cut) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(turn.asked), len(refused)) == (1, 7)
