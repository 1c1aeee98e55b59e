"""mpirun's command line, and what its many words mean. Pure.

Open MPI's runtime starts a daemon in every host but mpirun's own, by a *launch agent*: ``ssh`` by default, here a
program that enters an emulated host. Ranks of one host are numbered one after the other, hosts in their order; a
benchmark's ranks may be placed otherwise: ``rank_of`` translates, and MPI's communicator is put into their order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from signal import Signals

LOOPBACK = "127.0.0.0/8"

WORLD_RANK = "OMPI_COMM_WORLD_RANK"
"""mpirun sets it for each rank."""

_OWN_WORDS = "python -m collectives: "
_ENDED = re.compile(r"process rank (\d+) with PID \d+ on node \S+ exited on signal (\d+)")


@dataclass(frozen=True, slots=True)
class Launch:
    """``peers[rank]`` is each rank's address, ``network`` (CIDR) what their bytes may cross.

    ``agent`` starts a daemon in a host, None where all ranks are here; ``folder`` takes the runtime's files.
    """

    mpirun: str
    peers: tuple[str, ...]
    folder: str
    network: str = LOOPBACK
    agent: str | None = None
    shared_memory: bool = False


def command(launch: Launch, rank_words: Sequence[str]) -> list[str]:
    """What starts ``rank_words`` as every rank."""
    return [
        launch.mpirun, "--allow-run-as-root", "--bind-to", "none", "--map-by", ":OVERSUBSCRIBE",
        "--mca", "pml", "ob1",  # the one that sends by btl; ucx would choose for itself
        "--mca", "btl", "self,sm,tcp" if launch.shared_memory else "self,tcp",
        "--mca", "btl_tcp_if_include", launch.network,
        # Ranks poll. Where there are more of them than cores, they must make way for each other, and Open MPI sees
        # that by itself on one host only.
        "--mca", "mpi_yield_when_idle", "1",
        # A rank that lost another waits a second before it ends all, so that mpirun can say which one went, and why.
        "--mca", "mpi_abort_delay", "1",
        "--prtemca", "prte_tmpdir_base", launch.folder,
        *_hosts(launch),
        "-n", str(len(launch.peers)), *rank_words,
    ]  # fmt: skip


def _hosts(launch: Launch) -> list[str]:
    if launch.agent is None:
        return []
    slots = {peer: launch.peers.count(peer) for peer in launch.peers}
    return [
        "--host", ",".join(f"{peer}:{number}" for peer, number in slots.items()),
        "--prtemca", "plm_ssh_agent", launch.agent,
        "--prtemca", "plm_ssh_no_tree_spawn", "1",  # the daemons know no way into other hosts
        "--prtemca", "oob_tcp_if_include", launch.network,
        "--leave-session-attached",  # else daemons would leave the process that ends them with itself
    ]  # fmt: skip


def rank_of(world_rank: int, peers: Sequence[str]) -> int:
    """The benchmark's rank of the process that mpirun calls ``world_rank``."""
    hosts = list(dict.fromkeys(peers))
    return sorted(range(len(peers)), key=lambda rank: hosts.index(peers[rank]))[world_rank]


def explained(said: str, peers: Sequence[str]) -> str:
    """Why mpirun failed, in one line: a rank that was killed explains what others say; else what a rank said first."""
    plain = " ".join(said.split())
    if ended := _ENDED.search(plain):
        rank = rank_of(int(ended[1]), peers)
        return f"rank {rank} ({peers[rank]}) was ended by {Signals(int(ended[2])).name}"
    if gone := re.search(r"unexpectedly disconnected.*Peer host: (\S+)", plain):
        return f"a rank on {gone[1]} ended without a word to the others"
    lines = [line.strip() for line in said.splitlines() if line.strip(" -")]
    own = next((line for line in lines if line.startswith(_OWN_WORDS)), "")
    if own:
        return own.removeprefix(_OWN_WORDS)
    if any(line.startswith("Traceback") for line in lines):
        return next((line for line in reversed(lines) if re.match(r"\w+(\.\w+)*(Error|Exception)\b", line)), lines[-1])
    return f"mpirun: {' '.join(lines)[:300] or 'it failed and said nothing'}"
