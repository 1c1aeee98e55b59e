"""One TCP stream over one path: does the shaped rate hold?"""

from __future__ import annotations

import json
import subprocess

from emulation.errors import RunError
from emulation.network import Network
from topologies import addressing

SETTLE_S = 1  # slow start is not what is asked here
MEASURE_S = 1


def stream_bps(network: Network, src: str, dst: str) -> float:
    """Goodput of one stream from ``src`` to ``dst``, b/s; about two seconds. RunError where none gets through."""
    server = network.popen(dst, ["iperf3", "--server", "--one-off", "--forceflush"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        while "listening" not in (line := server.stdout.readline()):
            if not line:
                raise RunError(f"the probe's server in {dst} did not start")
        address = addressing.ip(network.plan.fabric, dst)
        argv = ["iperf3", "--client", address, "--time", str(MEASURE_S), "--omit", str(SETTLE_S), "--json"]
        try:
            found = json.loads(network.run(src, argv, timeout_s=20))
        except RunError as error:
            raise RunError(f"the probe from {src} to {dst} failed: nothing gets through the fabric ({error})") from None
        return float(found["end"]["sum_received"]["bits_per_second"])
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()
