"""A program that lets switches in namespaces reach a controller on the machine: HOST PORT PID ...

It listens on 127.0.0.1:PORT inside the namespace of each PID, and carries every connection made there to HOST:PORT,
byte by byte, both ways. A socket belongs to the namespace it was made in, whoever uses it.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000  # linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)


def listening(pid: int, port: int) -> socket.socket:
    """A listening socket inside the namespace of ``pid``."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    away = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _enter(away)
        return socket.create_server(("127.0.0.1", port), backlog=1024)
    finally:
        _enter(home)
        os.close(home)
        os.close(away)


def _enter(namespace: int) -> None:
    if LIBC.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until either end closes."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(host: str, port: int, pids: list[int]) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:  # no controller there now: the switch tries again
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    servers = [await asyncio.start_server(accepted, sock=listening(pid, port)) for pid in pids]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), [int(word) for word in sys.argv[3:]]))
