"""How the ranks of a library that is not ours are started in emulated hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collectives.peers.libraries import Library
from emulation.launch_agent import agent_script, named
from emulation.network import Network
from topologies import addressing

PATIENT = ["nice", "-n", "19"]
"""Open MPI's ranks poll, which would take the cores from the switch that carries their packets."""


def first_addresses(network: Network, placement: Sequence[str]) -> list[str]:
    """Those of the hosts' first NICs, which such a library is told to use."""
    return [addressing.ip(network.plan.fabric, host) for host in placement]


def started_by(
    library: Library, network: Network, placement: Sequence[str], folder: Path
) -> tuple[list[str], list[str]]:
    """Words before and after those of ``python -m collectives``; what the library writes, it writes into ``folder``."""
    after = ["--library", library.name, "--device-name", f"{library.device}, emulated host"]
    if not library.by_mpirun:
        return [], after
    fabric = network.plan.fabric
    agent = folder / "agent"
    agent.write_text(
        agent_script({addressing.ip(fabric, host): (host, network.pid(host)) for host in dict.fromkeys(placement)})
    )
    subnet = f"{addressing.ip(fabric, placement[0])}/{addressing.PREFIX_LENGTH}"
    before = [*PATIENT, "env", f"TMPDIR={folder}", *named(placement[0], [])]
    return before, [*after, "--mpi-agent", f"/bin/sh {agent}", "--mpi-network", subnet]
