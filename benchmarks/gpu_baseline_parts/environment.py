"""The environment in which NCCL takes ranks of one machine for ranks of several, and talks TCP between them. Pure.

NCCL refuses two ranks on one GPU ("Duplicate GPU detected") where they have the same host and the same bus address; a
host is what ``NCCL_HOSTID`` says. So each rank gets a host of its own, and shared memory, peer access and InfiniBand
are off: what is left between ranks is NCCL's socket transport, over the interface that it is told. Sources: NCCL's
user guide, environment variables; nccl/src/misc/utils.cc (getHostHash); nccl/src/init.cc (the check for duplicates).
"""

FORGET = ("NCCL_", "RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What of the user's environment a rank must not inherit: names that are or begin so."""

SOCKETS_ONLY = {
    "NCCL_NET": "Socket",  # the transport, whatever plugins are there
    "NCCL_IB_DISABLE": "1",
    "NCCL_SHM_DISABLE": "1",
    "NCCL_P2P_DISABLE": "1",
    "NCCL_NVLS_ENABLE": "0",
    "NCCL_CUMEM_ENABLE": "0",  # else P2P and shared memory may come back by another door
}


def rank_environment(before, rank, *, interface, apart, user=()):
    """The whole environment of a rank.

    ``before`` is ours; ``interface`` (None: NCCL's choice) is the one NCCL and gloo talk over; ``apart`` makes the rank
    a host of its own; ``user`` are words ``NAME=VALUE`` that have the last say.
    """
    found = {name: value for name, value in before.items() if not name.startswith(FORGET)}
    if apart:
        found |= SOCKETS_ONLY | {"NCCL_HOSTID": f"ringlab-{rank}"}
    if interface is not None:
        found |= {"NCCL_SOCKET_IFNAME": f"={interface}", "GLOO_SOCKET_IFNAME": interface}
    return found | parse_words(user)


def parse_words(words):
    """``("NCCL_ALGO=Ring",)`` -> a mapping. ValueError for what is no such word."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"{word!r} is no setting: write NAME=VALUE, as in NCCL_ALGO=Ring")
        found[name] = value
    return found


def told(apart, user=()):
    """The settings that a reader of the figures must know: those that every rank has in common."""
    found = (dict(SOCKETS_ONLY) | {"NCCL_HOSTID": "a rank"} if apart else {}) | parse_words(user)
    return [f"{name}={value}" for name, value in sorted(found.items())]
