"""Ranks, strangers and absent ones meet on real loopback sockets."""

import socket
import threading
import time

import pytest

from collectives.communicator import Communicator
from collectives.transport.connections import Group, listener
from collectives.transport.errors import RendezvousError
from collectives.transport.hello import REPLY, Hello, decode_reply, encode_hello, missing
from collectives.transport.rendezvous import Rendezvous

pytestmark = pytest.mark.process


def communicator(rank, num_ranks, address, **options):
    return Communicator(rank, [address] * num_ranks, **{"timeout_s": 5, "rendezvous_timeout_s": 5, **options})


def call(address, port, words):
    """What a caller that says ``words`` hears, to the end."""
    deadline = time.monotonic() + 5
    while True:
        try:
            with socket.create_connection((address, port), timeout=5) as sock:
                sock.sendall(words)
                heard = b""
                while data := sock.recv(4096):
                    heard += data
                return heard
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # it does not listen yet


def test_strangers_are_refused_and_the_job_goes_on(group, address):
    """Three who do not belong call rank 0 before rank 1 starts; one of them never says a word."""
    hello = Hello("another job", 1, 0, 0, {})
    heard = {}

    def one(rank):
        if rank == 0:
            with communicator(0, 2, address, token="job") as ready:
                ready.barrier()
        elif rank == 1:
            heard["http"] = call(address, 20000, b"GET / HTTP/1.1\r\n\r\n")
            heard["token"] = call(address, 20000, encode_hello(hello))
            with socket.create_connection((address, 20000)), communicator(1, 2, address, token="job") as ready:
                ready.barrier()

    assert group(2, one) == [None, None]
    assert b"no rank of ringlab" in heard["http"]
    assert missing(heard["token"], REPLY) == 0
    assert decode_reply(heard["token"]) == "rank 1 belongs to another job: the tokens differ"


def test_channels_take_the_nics_in_turn(group, address):
    nics = [address, address.replace("127.", "127.1", 1)]
    both_have_looked = threading.Barrier(2, timeout=5)

    def ends(rank):
        flows = [(1 - rank, channel) for channel in range(3)]
        with Rendezvous(Group.of(rank, ["+".join(nics)] * 2), flows, flows, token="", settings={}, timeout_s=5) as one:
            met = one.meet()
            found = {(c.channel, c.sock.getsockname()[0], c.sock.getpeername()[0]) for c in met}
            both_have_looked.wait()
            for connection in met:
                connection.reset()
            return found

    wanted = {(0, nics[0], nics[0]), (1, nics[1], nics[1]), (2, nics[0], nics[0])}
    assert group(2, ends) == [wanted, wanted]


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (Hello("", 1, 2, 0, {}), "rank 2 is not here: this is rank 0"),
        (Hello("", 7, 0, 0, {}), "there is no rank 7 among 2"),
    ],
)
def test_callers_with_the_wrong_number(group, address, hello, reason):
    def one(rank):
        if rank == 0:
            with communicator(0, 2, address, rendezvous_timeout_s=0.2):
                pass
        return decode_reply(call(address, 20000, encode_hello(hello)))

    error, heard = group(2, one)
    assert reason in heard
    assert f"waited 0.2 s for rank 1 ({address}): Connection refused; refused 127." in str(error)
    assert reason in str(error)


def test_ranks_with_different_tokens_do_not_meet(group, address):
    def one(rank):
        with communicator(rank, 2, address, token=f"job {rank}", rendezvous_timeout_s=0.3):
            pass

    errors = group(2, one)
    assert any("was refused by" in str(error) and "the tokens differ" in str(error) for error in errors)
    assert all(isinstance(error, RendezvousError) for error in errors)


def test_who_is_absent_is_named(group, address):
    def one(rank):
        if rank != 1:
            with communicator(rank, 3, address, rendezvous_timeout_s=0.2 if rank == 0 else 5):
                pass

    absent, _, other = group(3, one)
    assert str(absent) == f"rank 0 ({address}) waited 0.2 s for rank 1 ({address}): Connection refused"
    assert str(other) == f"rank 2 ({address}): rank 0 ({address}) left before all ranks had met"


def test_a_port_that_is_taken(address):
    with (
        listener(address, 20000),
        pytest.raises(RendezvousError, match=r"can't use .* port 20000: another program has"),
    ):
        communicator(0, 2, address).open()


def test_an_address_that_is_not_ours():
    with pytest.raises(RendezvousError, match=r"192\.0\.2\.1 port 20000: this host has no such address"):
        communicator(0, 2, "192.0.2.1").open()


def test_late_ranks_are_waited_for(group, address):
    def one(rank):
        time.sleep(0.07 * rank)  # lateness is what is tested
        with communicator(rank, 3, address) as ready:
            ready.barrier()

    assert group(3, one) == [None] * 3
