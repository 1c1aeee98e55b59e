"""A launch agent: a program that starts others in emulated hosts, as ssh would on a cluster's. Pure.

Runtimes like Open MPI's are given one (``AGENT HOST COMMAND``), and tell hosts by name; emulated hosts share their
machine's. So what is started gets a host name of its own, by a UTS namespace that ends with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulation.commands import MORTAL

_NAMED = 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"'


def named(host: str, argv: Sequence[str]) -> list[str]:
    """``argv``, for which the machine is called ``host``."""
    return ["unshare", "--uts", "sh", "-c", _NAMED, host, *argv]


def agent_script(pids: Mapping[str, tuple[str, int]]) -> str:
    """A shell script that takes an address and a command. By address: the host's name, and a process in it.

    What it starts ends with the process that called it, whatever happens to that.
    """
    cases = "".join(f"{address}) host={host} pid={pid} ;;\n" for address, (host, pid) in pids.items())
    entered = [*MORTAL, "mnexec", "-a", '"$pid"', "unshare", "--uts", "sh", "-c", f"'{_NAMED}'", '"$host"']
    return f"""\
case $1 in
{cases}*) echo "no emulated host has the address $1" >&2; exit 1 ;;
esac
shift
exec {" ".join(entered)} sh -c "$*"
"""
