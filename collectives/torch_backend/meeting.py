"""How the ranks of a group learn each other's addresses and ports: through the store that torch gives them.

A group's ranks take *slots* of their addresses (``topologies/ports.py``), two each: one for the collectives, one for
messages between two ranks. In the default group these follow from the addresses alone, so that a controller knows every
flow beforehand. A rank of a sub-group takes the next two of its address, whoever comes first: on hosts of one rank
these are known too.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from torch._C._distributed_c10d import PrefixStore, Store, TCPStore

from collectives.transport.errors import RendezvousError
from topologies.ports import MAX_SLOTS, slots

ADDRESS = "RINGLAB_ADDRESS"

SLOTS = 2
"""Of each rank in each group."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """``peers[rank]`` is an address; ``token`` is the group's own."""

    peers: tuple[str, ...]
    slots: tuple[int, ...]
    mail_slots: tuple[int, ...]
    token: str

    def taken(self, address: str) -> int:
        """Slots of the address that this group has."""
        return SLOTS * self.peers.count(address)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where sub-groups get their slots from: a counter for each address, in the default group's store."""

    store: Store
    world: Meeting | None
    """None if the default group is of another backend."""

    def take(self, address: str) -> int:
        job = self.world.token if self.world else ""
        taken = self.world.taken(address) if self.world else 0
        return taken + self.store.add(f"ringlab/{job}/slots/{address}", SLOTS) - SLOTS


def meet(store: Store, rank: int, size: int, numbers: Numbers | None) -> Meeting:
    """Of all ranks, when all have come. ``numbers`` is None in the default group. RendezvousError says who is late."""
    address = local_address(store)
    first = numbers.take(address) if numbers else None
    # A store may outlive a group, and serve the next of the same name: each rank counts how often it came.
    prefix = f"ringlab/{store.add(f'ringlab/round/{rank}', 1)}"
    if rank == 0:
        store.set(f"{prefix}/token", secrets.token_hex(8))
    store.set(f"{prefix}/{rank}", json.dumps([address, first]))
    told = [json.loads(_told(store, f"{prefix}/{peer}", rank, peer)) for peer in range(size)]
    token = _told(store, f"{prefix}/token", rank, 0)
    peers = tuple(address for address, _ in told)
    check(peers)
    return placed(peers, [first for _, first in told] if numbers else None, token)


def placed(peers: Sequence[str], firsts: Sequence[int] | None, token: str) -> Meeting:
    """With slots: of the default group if ``firsts``, the first slots that the ranks took, are None."""
    if firsts is None:
        here = Counter(peers)
        mine = slots(peers)
        mail = tuple(here[peer] + slot for peer, slot in zip(peers, mine, strict=True))
    else:
        mine = tuple(firsts)
        mail = tuple(first + 1 for first in firsts)
    for peer, slot in zip(peers, mail, strict=True):
        if slot >= MAX_SLOTS:
            raise RendezvousError(
                f"{peer} has ports for {MAX_SLOTS // SLOTS} ranks of all groups together, and no more: "
                f"make fewer groups, or give ranks addresses of their own by {ADDRESS}"
            )
    return Meeting(tuple(peers), mine, mail, token)


def check(peers: Sequence[str]) -> None:
    """RendezvousError if some ranks can't reach others: a loopback address means another host for each of them."""
    loopback = [_is_loopback(peer) for peer in peers]
    if any(loopback) and not all(loopback):
        rank, other = loopback.index(True), loopback.index(False)
        raise RendezvousError(
            f"rank {rank} has address {peers[rank]}, which rank {other} ({peers[other]}) can't reach: "
            f"set {ADDRESS} on rank {rank}'s host to an address that the others know"
        )


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer.split("+", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False  # the communicator says what is wrong with it


def local_address(store: Store) -> str:
    """``RINGLAB_ADDRESS``, else the address of this host that reaches the one of the store. RendezvousError if none."""
    if given := os.environ.get(ADDRESS):
        return given
    host = _host(store)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))  # no packet is sent: the kernel looks up its route
            address: str = probe.getsockname()[0]
    except OSError as error:
        raise RendezvousError(f"no way to the job's master {host!r} ({error}): set {ADDRESS} to this host's") from None
    return address


def _host(store: Store) -> str:
    while isinstance(store, PrefixStore):
        store = store.underlying_store
    if isinstance(store, TCPStore):
        return store.host
    if master := os.environ.get("MASTER_ADDR"):
        return master
    raise RendezvousError(f"neither MASTER_ADDR nor {ADDRESS} is set: set {ADDRESS} to this host's address")


def _told(store: Store, key: str, rank: int, peer: int) -> str:
    try:
        return store.get(key).decode()
    except RuntimeError as error:  # torch's store errors
        why = str(error).splitlines()[0]
        raise RendezvousError(f"rank {rank} waits for rank {peer} to join the process group: {why}") from None
