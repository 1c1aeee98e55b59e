"""A program that holds network namespaces open: ``python -I -S holder.py NAME ...`` prints a pid for each name.

Each process sits in a network and a mount namespace of its own, as Mininet's hosts do, and does nothing. All end when
standard input closes, so whatever happens to the one who started this: a namespace goes with its last process, and
takes its interfaces along. A shell a namespace, as Mininet has it, costs 10 ms each; this one costs half of one.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # linux/sched.h
MS_REC, MS_PRIVATE = 0x4000, 0x40000  # linux/mount.h
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # linux/prctl.h

LIBC = ctypes.CDLL(None, use_errno=True)


def hold(name: str, parent: int, ready: int) -> None:
    """In the child: new namespaces, one byte to ``ready``, and then nothing until the parent ends."""
    _checked(LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(1)
    LIBC.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    _checked(LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare")
    _checked(LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount /")
    LIBC.mount(b"sysfs", b"/sys", b"sysfs", 0, None)  # shows this namespace's interfaces; where it can't be, no harm
    os.write(ready, b".")
    while True:
        signal.pause()


def _checked(result: int, what: str) -> None:
    if result:
        error = ctypes.get_errno()
        print(f"{what}: {os.strerror(error)}", file=sys.stderr, flush=True)
        os._exit(1)


def main(names: list[str]) -> int:
    """One child a name; their pids, a line each, once all are in their namespaces."""
    parent = os.getpid()
    reader, writer = os.pipe()
    pids = []
    for name in names:
        pid = os.fork()
        if not pid:
            os.close(reader)
            hold(name, parent, writer)
        pids.append(pid)
    os.close(writer)
    if not _all_ready(reader, len(pids)):
        return 1
    print("\n".join(map(str, pids)), flush=True)
    sys.stdin.read()
    return 0


def _all_ready(reader: int, count: int) -> bool:
    while count > 0:
        said = os.read(reader, 4096)
        if not said:
            return False
        count -= len(said)
    return True


if __name__ == "__main__":
    # The children end with this process; ours are the signals of a terminal, which must not end them early.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))
