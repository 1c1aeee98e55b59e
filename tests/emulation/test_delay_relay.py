"""The relay's loop on pipes instead of links. No fabric, no root."""

import os
import resource
import select
import time

import pytest

from emulation.delay import Impairment, Line
from emulation.delay_relay import _relay

FRAMES = 20
HIGH = 2000  # more than the 1024 files that select can look at


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard <= HIGH:
        pytest.skip(f"at most {hard} files here")
    with select.epoll() as poll:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH + 1), hard))
        yield poll
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Cable:
    """Takes a frame and gives the next one, until the last, which ends the orders."""

    def __init__(self, wire: int, orders: int) -> None:
        self.wire, self.orders = wire, orders
        self.given: list[float] = []
        self.taken: list[float] = []

    def give(self) -> None:
        self.given.append(time.monotonic())
        os.write(self.wire, b"frame")

    def send(self, frame: bytes) -> None:
        assert frame == b"frame"
        self.taken.append(time.monotonic())
        if len(self.taken) < FRAMES:
            self.give()
        else:
            os.close(self.orders)


def test_frames_of_a_wire_with_a_high_number_are_held_for_less_than_a_millisecond(many_files):
    wire, machine = os.pipe()
    os.dup2(wire, HIGH)
    orders, giver = os.pipe()
    line, cable = Line(Impairment(300e-6)), Cable(machine, giver)
    cable.give()
    with os.fdopen(orders, "rb", buffering=0) as said, pytest.raises(EOFError):
        _relay({HIGH: (line, cable)}, {"wire": line}, said, many_files)
    held_s = [taken - given for given, taken in zip(cable.given, cable.taken, strict=True)]
    assert 300e-6 <= min(held_s) < 900e-6
    for file in (HIGH, wire, machine):
        os.close(file)
