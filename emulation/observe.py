"""Reads what ``fidelity`` judges: processor time, packet sockets, TCP counters, the switch's log."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from emulation.commands import run
from emulation.fidelity import Observation
from emulation.network import Network

LOG = Path(os.environ.get("OVS_LOGDIR", "/var/log/openvswitch"), "ovs-vswitchd.log")
PIDFILE = Path(os.environ.get("OVS_RUNDIR", "/var/run/openvswitch"), "ovs-vswitchd.pid")
_SOCKET_DROPS = re.compile(r",d(\d+)\)")
TROUBLE = re.compile(r"Dropped packet|Too big|too big|Unreasonably long [0-9]{4,}ms|No buffer space|\|(ERR|EMER)\|")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    busy: int
    idle: int
    lag_ns: int
    at_s: float
    lost: int
    tcp: Mapping[str, int]


@dataclass
class Watch:
    """Sums what was seen over the watched stretches of a run."""

    network: Network
    log_from: int = field(default_factory=lambda: LOG.stat().st_size if LOG.exists() else 0)
    _totals: dict[str, float] = field(default_factory=dict)
    _worst_idle: float | None = None
    _worst_lag: float = 0.0

    @contextmanager
    def stretch(self, ranks_poll: bool = False) -> Iterator[Callable[[], None]]:
        """Watch one measured block; of CPU figures the worst block counts.

        Ranks that poll (``ranks_poll``) leave no processor idle, by design: then the switch's lag alone tells.

        What it yields says that ranks have met and work begins: until then programs are being loaded, no packet is
        late for anybody, and a busy processor tells nothing.
        """
        starts = [_snapshot(self.network)]
        yield lambda: starts.append(_snapshot(self.network)) if len(starts) == 1 else None
        before, after = starts[-1], _snapshot(self.network)
        total = (after.busy - before.busy) + (after.idle - before.idle)
        lag_s, lasted_s = (after.lag_ns - before.lag_ns) / 1e9, after.at_s - before.at_s
        if not ranks_poll:
            idle = (after.idle - before.idle) / max(1, total)
            self._worst_idle = idle if self._worst_idle is None else min(self._worst_idle, idle)
        self._worst_lag = max(self._worst_lag, lag_s / max(1e-9, lasted_s))
        for name in after.tcp:
            self._totals[name] = self._totals.get(name, 0) + after.tcp[name] - before.tcp.get(name, 0)
        self._totals["lost"] = self._totals.get("lost", 0) + after.lost - before.lost

    def observation(self) -> Observation:
        count = {name: int(value) for name, value in self._totals.items()}
        return Observation(
            cpu_idle=self._worst_idle,
            switch_lag=self._worst_lag,
            lost_in_switch=count.get("lost", 0),
            retransmitted=count.get("TcpRetransSegs", 0),
            segments_sent=count.get("TcpOutSegs", 0),
            checksum_errors=count.get("TcpInCsumErrors", 0) + count.get("IpExtInCsumErrors", 0),
            log_lines=self._log_lines(),
        )

    def _log_lines(self) -> tuple[str, ...]:
        if not LOG.exists():
            return ()
        with LOG.open("rb") as file:
            file.seek(min(self.log_from, LOG.stat().st_size))
            text = file.read().decode(errors="replace")
        return tuple(line.split("|", 2)[-1] for line in text.splitlines() if TROUBLE.search(line))


def _snapshot(network: Network) -> _Snapshot:
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return _Snapshot(sum(fields) - idle, idle, _switch_lag_ns(), time.monotonic(), _lost(network), _tcp(network))


def _switch_lag_ns() -> int:
    """Nanoseconds that ovs-vswitchd's main thread was ready to run and had no core. Zero where nothing tells."""
    with suppress(OSError, ValueError):
        pid = int(PIDFILE.read_text())
        _, lag, _ = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()
        return int(lag)
    return 0


def _lost(network: Network) -> int:
    """Frames that the switches' packet sockets had no room for."""
    tag = network.plan.tag
    lines = run(["ss", "--packet", "--memory", "--no-header", "--oneline"]).splitlines()
    return sum(int(found[1]) for line in lines if f":{tag}-" in line and (found := _SOCKET_DROPS.search(line)))


def _tcp(network: Network) -> dict[str, int]:
    """TCP counters summed over all hosts' namespaces."""
    totals: dict[str, int] = {}
    for host in network.plan.hosts:
        for file in ("snmp", "netstat"):
            for name, value in counters(Path(f"/proc/{network.pid(host)}/net/{file}").read_text()).items():
                totals[name] = totals.get(name, 0) + value
    return totals


def counters(text: str) -> dict[str, int]:
    """``/proc/net/snmp``: pairs of lines, names then values, as ``TcpOutSegs`` to number."""
    lines = text.splitlines()
    found: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        group, *keys = names.split()
        found |= {group.rstrip(":") + key: int(value) for key, value in zip(keys, values.split()[1:], strict=True)}
    return found
