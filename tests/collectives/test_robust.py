"""Strangers, stale ranks, mismatches, and ranks that die, stick or leave: every rank ends, and says why.

Nobody else can talk into an established connection (the kernel knows it by both addresses, both ports and its sequence
numbers), so strangers come to the listening ports only. ``RINGLAB_KILLS`` says how many random faults are tried.
"""

import contextlib
import errno
import os
import random
import re
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from collectives.communicator import Communicator
from collectives.transport import door, rendezvous
from collectives.transport.connections import Group, caller, guard, listener
from collectives.transport.errors import MismatchError, PeerSilentError, RendezvousError
from collectives.transport.hello import HEADER, HELLO, VERSION, Hello, decode_reply, encode_hello
from collectives.transport.rendezvous import Rendezvous

KILLS = os.environ.get("RINGLAB_KILLS", "60")
PROGRAM = Path(__file__).parents[2] / "benchmarks" / "kills.py"

pytestmark = pytest.mark.process


def communicator(rank, num_ranks, address, **options):
    return Communicator(rank, [address] * num_ranks, **{"timeout_s": 5, "rendezvous_timeout_s": 5, **options})


def connected(address, port):
    """A connection to a rank that may not listen yet, or no more: then None."""
    with contextlib.suppress(OSError):
        return socket.create_connection((address, port), timeout=5)


def heard_at(address, port, words):
    """What the rank there says to ``words``, once it listens."""
    deadline = time.monotonic() + 5
    while not (sock := connected(address, port)):
        assert time.monotonic() < deadline
    with sock:
        sock.sendall(words)
        heard = b""
        while data := sock.recv(4096):
            heard += data
        return heard


# -- random faults ----------------------------------------------------------------------
@pytest.mark.timeout(30 + 2 * int(KILLS))
def test_random_kills_stops_delays_and_departures():
    command = [sys.executable, PROGRAM, "--cases", KILLS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{KILLS}/{KILLS} cases ended as they must" in done.stdout, done.stdout + done.stderr


# -- strangers --------------------------------------------------------------------------
def words_of_strangers(draw):
    """What strangers say: anything, a hello cut short, one of enormous length, one of nonsense, nothing."""
    hello = encode_hello(Hello("token", 1, 0, 0, {}))
    yield draw.randbytes(draw.randrange(1, 3000))
    yield hello[: draw.randrange(1, len(hello))]
    yield HEADER.pack(HELLO, VERSION, 0xFFFF) + draw.randbytes(3000)
    yield HEADER.pack(HELLO, VERSION, 4000) + b"[" * 4000
    yield HEADER.pack(HELLO, VERSION, 20) + draw.randbytes(20)
    yield b""


def throw_garbage(address, ports, over):
    """At every port, until it is ``over``; the last hundred connections stay open."""
    draw = random.Random(3)
    kept = []
    while not over.is_set():
        for words in words_of_strangers(draw):
            if not (sock := connected(address, draw.choice(ports))):
                continue
            with contextlib.suppress(OSError):
                sock.sendall(words)
            kept.append(sock)
            if len(kept) > 100:
                kept.pop(0).close()
    for sock in kept:
        sock.close()


def test_garbage_on_every_port_in_every_meeting(group, address):
    """Ranks meet, one of them late, and meet again for other operations; all that time strangers call all of them."""
    over = threading.Event()
    strangers = threading.Thread(target=throw_garbage, args=(address, [20000, 20001, 20002], over))

    def one(rank):
        time.sleep(0.2 * (rank == 2))  # lateness is what is tested
        with communicator(rank, 3, address, token="token") as ready:
            gathered = ready.all_gather(np.full(5000, rank))
            sent = ready.all_to_all(np.arange(3) + 3 * rank)
            total = ready.all_reduce(np.full(100_000, rank))
            return [*np.unique(gathered), *(sent - 3 * np.arange(3)), *np.unique(total)]

    strangers.start()
    try:
        assert group(3, one) == [[0, 1, 2, rank, rank, rank, 3] for rank in range(3)]
    finally:
        over.set()
        strangers.join()


def test_a_crowd_that_says_nothing_is_bounded_in_number(group, address):
    """More than a rank has room for, silent or in the middle of a hello: the rank lets the first go, and meets."""
    most = []

    def one(rank):
        if rank == 1:
            crowd = []
            while len(crowd) < 3 * door.GUESTS:
                if sock := connected(address, 20000):
                    sock.sendall(HELLO[: len(crowd) % 3])
                    crowd.append(sock)
            with communicator(1, 2, address) as ready:
                most.append(sum(still_open(sock) for sock in crowd))
                ready.barrier()
            for sock in crowd:
                sock.close()
        else:
            with communicator(0, 2, address) as ready:
                ready.barrier()

    assert group(2, one) == [None, None]
    assert most[0] <= door.GUESTS


def still_open(sock):
    sock.setblocking(False)
    try:
        return bool(sock.recv(1))
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_a_guest_that_says_nothing_is_bounded_in_time(group, address, monkeypatch):
    monkeypatch.setattr(door, "HELLO_S", 0.1)
    over = threading.Event()

    def one(rank):
        if rank == 0:
            with communicator(0, 2, address):
                pass
            return None
        with pytest.raises(ConnectionResetError):
            heard_at(address, 20000, HELLO[:3])
        over.set()
        with communicator(1, 2, address):
            return over.is_set()

    assert group(2, one) == [None, True]


def test_nobody_listens_after_the_meeting(group, address):
    def one(rank):
        with communicator(rank, 2, address) as ready:
            ready.barrier()
            return [connected(address, port) for port in (20000, 20001)]

    assert group(2, one) == [[None, None]] * 2


# -- ranks that do not belong -----------------------------------------------------------
def test_another_version_is_refused_by_name_of_both(group, address, monkeypatch):
    def of_the_next_version(hello):
        message = encode_hello(hello)
        return HEADER.pack(HELLO, VERSION + 1, len(message) - HEADER.size) + message[HEADER.size :]

    monkeypatch.setattr(rendezvous, "encode_hello", of_the_next_version)

    def one(rank):
        with communicator(rank, 2, address):
            pass

    said = f"the caller speaks version {VERSION + 1} of ringlab's protocol, the called version {VERSION}"
    errors = group(2, one)
    assert all(isinstance(error, RendezvousError) for error in errors)
    assert all(said in str(error) for error in errors)


def test_ranks_of_an_earlier_run_are_refused(group, address):
    """One has the earlier run's token; one has this run's, and comes when its place is taken."""
    heard = {}

    def one(rank):
        with meeting(rank, 3, address) as mine:
            if rank == 0:
                mine.meet()
            elif rank == 1:
                (connection,) = mine.meet()
                for token in ("run 1", "run 2"):
                    heard[token] = decode_reply(heard_at(address, 20000, encode_hello(Hello(token, 1, 0, 0, {}))))
                connection.reset()

    waited, *_ = group(3, one)
    assert str(waited) == f"rank 0 ({address}): rank 1 ({address}) left before all ranks had met"
    assert heard == {
        "run 1": "rank 1 belongs to another job: the tokens differ",
        "run 2": "rank 1 channel 0 is here already",
    }


def meeting(rank, num_ranks, address):
    """Where all call rank 0."""
    outgoing, incoming = ([(0, 0)], []) if rank else ([], [(peer, 0) for peer in range(1, num_ranks)])
    peers = Group.of(rank, [address] * num_ranks)
    return Rendezvous(peers, outgoing, incoming, token="run 2", settings={}, timeout_s=5)


def test_who_calls_before_its_turn_calls_again(group, address):
    """Rank 2 sends to rank 1 while that one still waits for rank 0: two meetings, one after the other."""
    sent = threading.Event()

    def one(rank):
        with communicator(rank, 3, address) as ready:
            if rank == 1:
                firsts = [ready.receive(np.zeros(1, np.int64), source)[0] for source in (0, 2)]
                assert firsts == [10, 12]
            elif rank == 0:
                assert sent.wait(5)
                ready.send(np.array([10]), 1)
            else:
                timer = threading.Timer(0.2, sent.set)  # it is calling by then
                timer.start()
                ready.send(np.array([12]), 1)

    assert group(3, one) == [None] * 3


# -- mismatches -------------------------------------------------------------------------
MISMATCHES = {
    "count": (lambda one: one.all_reduce(np.ones(5)), lambda one: one.all_reduce(np.ones(7)), "5 float64", "7 float64"),
    "type": (
        lambda one: one.all_reduce(np.ones(5, np.int32)),
        lambda one: one.all_reduce(np.ones(5, np.float32)),
        "5 int32 sum",
        "5 float32 sum",
    ),
    "operator": (
        lambda one: one.all_reduce(np.ones(5)),
        lambda one: one.all_reduce(np.ones(5), op="max"),
        "float64 sum",
        "float64 max",
    ),
    "operation": (
        lambda one: one.all_reduce(np.ones(5)),
        lambda one: one.broadcast(np.ones(5), root=2),
        "all_reduce of 5",
        "broadcast at root 2 of 5",
    ),
    "root": (
        lambda one: one.broadcast(np.ones(5), root=1),
        lambda one: one.broadcast(np.ones(5), root=2),
        "broadcast at root 1",
        "broadcast at root 2",
    ),
}


@pytest.mark.parametrize("what", MISMATCHES)
def test_a_mismatch_is_named_on_every_rank(group, address, what):
    common, odd, *words = MISMATCHES[what]

    def one(rank):
        with communicator(rank, 4, address) as ready:
            ready.barrier()
            (odd if rank == 2 else common)(ready)

    errors = group(4, one)
    assert all(isinstance(error, MismatchError) for error in errors), errors
    for rank, error in enumerate(errors):
        assert str(error).startswith(f"rank {rank} (")
        assert all(word in str(error) for word in words)
        assert f"but rank {0 if rank == 2 else 2} (" in str(error)


@pytest.mark.parametrize("odd", range(5))
def test_another_algorithm_ends_every_rank(group, address, odd):
    """Those who meet the odd one name the algorithms; others hear of it, or say whom they lost: they were ahead."""

    def one(rank):
        with communicator(rank, 5, address, algorithm="bidirectional-ring" if rank == odd else "ring"):
            pass

    began = time.monotonic()
    errors = [str(error) for error in group(5, one)]
    assert time.monotonic() - began < 4, "a rank has waited for its time-out"
    named = [bool(re.search(r"algorithm is \S+ (here|on rank \d) and \S+ (there|on rank \d)", one)) for one in errors]
    assert named[odd], errors
    assert sum(named) > 1, errors
    for rank, error in enumerate(errors):
        assert re.match(rf"rank {rank} .* rank \d", error), errors
        assert named[rank] or re.search(r"lost rank \d|left before all ranks had met", error), errors


# -- the kernel's watch -----------------------------------------------------------------
def test_the_kernel_watches_every_connection(group, address):
    def one(rank):
        with communicator(rank, 2, address, timeout_s=8) as ready:
            ready.all_to_all(np.arange(2))
            tcp = socket.IPPROTO_TCP
            return {
                (
                    connection.sock.getsockopt(tcp, socket.TCP_USER_TIMEOUT),
                    connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                    connection.sock.getsockopt(tcp, socket.TCP_KEEPIDLE)
                    + connection.sock.getsockopt(tcp, socket.TCP_KEEPINTVL)
                    * connection.sock.getsockopt(tcp, socket.TCP_KEEPCNT),
                )
                for connection in ready._loop.connections()
            }

    assert group(2, one) == [{(8000, 1, 8)}] * 2


def test_the_kernel_gives_up_on_bytes_that_nobody_takes(address):
    with listener(address, 20000) as listening, caller(address, 30000) as sock:
        sock.connect_ex((address, 20000))
        guard(sock, 0.3)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(bytes(1 << 20))
        poll = select.poll()
        poll.register(sock, 0)  # its end alone
        assert poll.poll(10_000)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ETIMEDOUT
        assert listening.accept()[0].close() is None


def test_the_kernel_s_word_is_told_as_silence(group, address):
    def give_up(data):
        raise OSError(errno.ETIMEDOUT, "Connection timed out")

    def one(rank):
        with communicator(rank, 2, address, timeout_s=3) as ready:
            ready.barrier()
            for connection in ready._loop.connections():
                if rank == 0 and connection.outgoing:
                    connection.send = give_up
            ready.barrier()

    silent, lost = group(2, one)
    assert isinstance(silent, PeerSilentError)
    assert str(silent) == f"rank 0 ({address}) could not send to rank 1 ({address}) at step 0 for 3 s"
    assert f"lost rank 0 ({address}) at step" in str(lost)
