"""Ranks as threads of this process, over real loopback sockets; each test has an address of its own. MSCCL programs."""

import itertools
import os
import threading

import pytest

_NUMBERS = itertools.count(1)


@pytest.fixture
def address():
    """An address of this machine that no other test, and no other test run, uses; its second part has two digits."""
    return f"127.{10 + os.getpid() // 250 % 90}.{os.getpid() % 250}.{next(_NUMBERS)}"


@pytest.fixture
def group():
    """``group(n, call)`` runs ``call(rank)`` for each rank in a thread; a list of results, or the exceptions raised."""

    def run(num_ranks, call):
        results = [None] * num_ranks

        def one(rank):
            try:
                results[rank] = call(rank)
            except Exception as error:  # noqa: BLE001 - the test judges it
                results[rank] = error

        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(num_ranks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "a rank hangs"
        return results

    return run


@pytest.fixture
def msccl():
    """``msccl(coll, num_chunks, gpus)`` writes a program. A gpu is a list of thread blocks ``(send, recv, *steps)``.

    A step is words: its type, source, target, and if need be ``x2`` (cnt), ``<0.3`` (waits for tb 0 step 3) and ``!``
    (others may wait for it), as in ``"rrc i0 i0 x2 <1.0 !"``.
    """

    def write(coll, num_chunks, gpus, *, in_place=True, scratch=4, channel=0):
        sizes = f'nchannels="1" nchunksperloop="{num_chunks}" ngpus="{len(gpus)}"'
        lines = [f'<algo name="t" proto="LL" {sizes} coll="{coll}" inplace="{int(in_place)}">']
        for rank, blocks in enumerate(gpus):
            lines.append(f'<gpu id="{rank}" i_chunks="{num_chunks}" o_chunks="{num_chunks}" s_chunks="{scratch}">')
            for number, (send, recv, *steps) in enumerate(blocks):
                lines.append(f'<tb id="{number}" send="{send}" recv="{recv}" chan="{channel}">')
                lines += [_step(at, *step.split()) for at, step in enumerate(steps)]
                lines.append("</tb>")
            lines.append("</gpu>")
        return "\n".join([*lines, "</algo>"])

    return write


def _step(at, kind, source="i0", target="o0", *more):
    count = next((word[1:] for word in more if word[0] == "x"), "1")
    block, step = next((word[1:].split(".") for word in more if word[0] == "<"), ("-1", "-1"))
    return (
        f'<step s="{at}" type="{kind}" srcbuf="{source[0]}" srcoff="{source[1:]}" dstbuf="{target[0]}" '
        f'dstoff="{target[1:]}" cnt="{count}" depid="{block}" deps="{step}" hasdep="{int("!" in more)}"/>'
    )
