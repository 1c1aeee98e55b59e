"""python -m controller: the controller's process. Exit codes: 0 ended by a signal, 2 usage, 3 machine lacks something.

Once both faces listen, one line of JSON on standard output tells their ports:
{"openflow": 6653, "northbound": 8080, "pid": 4711, "framework": "ryu 4.34"}
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from controller.framework import NAMES, Framework, FrameworkError, load

USAGE, LACKS = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # while it starts; then Lifetime takes over
        signal.signal(number, lambda *_: sys.exit(0))
    # Late imports: eventlet must patch this process before other modules look at its sockets and clocks.
    try:
        framework = load(options.framework)
    except FrameworkError as error:
        _fail(LACKS, str(error))
    _set_up_log(options.log)
    core = _core(options.fabric)
    openflow = _listen(framework, options.openflow, "--openflow")
    northbound = _listen(framework, options.northbound, "--northbound")
    _serve(framework, core, openflow, northbound, options.parent_pid)
    logging.shutdown()
    return 0


def _serve(framework: Framework, core: Any, openflow: Any, northbound: Any, parent_pid: int | None) -> None:
    """Serves the two listening sockets and says so; returns at the end of the process's lifetime."""
    from controller.app import Shell, serve  # noqa: PLC0415
    from controller.lifetime import Lifetime  # noqa: PLC0415

    lifetime = Lifetime(parent_pid)
    # Connections count from a random number: rules of an earlier process then carry another stamp than ours.
    shell = Shell(framework, core, first_connection=int.from_bytes(os.urandom(3), "big"))
    serve(framework, shell, openflow, northbound)
    ports = {"openflow": openflow.getsockname()[1], "northbound": northbound.getsockname()[1]}
    print(json.dumps({**ports, "pid": os.getpid(), "framework": str(framework)}), flush=True)
    lifetime.wait(lambda fd: framework.eventlet.hubs.trampoline(fd, read=True), framework.hub.spawn)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m controller",
        description="OpenFlow 1.3 controller: routes, proves and installs the flows of a job.",
        epilog="example: python -m controller --fabric fabric.yaml --openflow 127.0.0.1:0 --northbound 127.0.0.1:0",
    )
    parser.add_argument(
        "--fabric", required=True, metavar="FILE", help="the fabric, YAML or JSON; - for standard input"
    )
    parser.add_argument("--openflow", type=_address, default="127.0.0.1:6653", metavar="IP:PORT", help="for switches")
    parser.add_argument(
        "--northbound", type=_loopback, default="127.0.0.1:8080", metavar="IP:PORT", help="for programs of this machine"
    )
    parser.add_argument("--framework", choices=("auto", *NAMES), default="auto")
    parser.add_argument("--log", metavar="FILE", help="log here instead of warnings on standard error")
    parser.add_argument("--parent-pid", type=int, metavar="PID", help="end when this process ends")
    return parser


def _address(text: str) -> tuple[str, int]:
    ip, colon, port = text.rpartition(":")
    try:
        address = ipaddress.IPv4Address(ip)
        if not (colon and port.isdigit() and int(port) < 65536):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: an IPv4 address and a port, as in 127.0.0.1:6653") from None
    return str(address), int(port)


def _loopback(text: str) -> tuple[str, int]:
    ip, port = _address(text)
    if not ipaddress.IPv4Address(ip).is_loopback:
        raise argparse.ArgumentTypeError(f"{text!r}: only loopback (127.0.0.1); whoever can reach it can reroute")
    return ip, port


def _set_up_log(file: str | None) -> None:
    level = logging.INFO if file else logging.WARNING
    try:
        logging.basicConfig(filename=file, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    except OSError as error:
        _fail(USAGE, f"--log {file}: {error.strerror}")


def _core(file: str) -> Any:
    """The core for the fabric in ``file``."""
    from controller.core import Controller  # noqa: PLC0415
    from topologies.formats import loads  # noqa: PLC0415
    from topologies.yaml_lines import DocumentError  # noqa: PLC0415

    try:
        if file == "-":
            text = sys.stdin.read()
        else:
            with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - pathlib is another import
                text = opened.read()
        return Controller(loads(text, file))
    except OSError as error:
        _fail(USAGE, f"--fabric {file}: {error.strerror}")
    except DocumentError as error:  # it says where
        _fail(USAGE, str(error))
    except ValueError as error:
        _fail(USAGE, f"--fabric {file}: {error}")


def _listen(framework: Framework, address: tuple[str, int], option: str) -> Any:
    try:
        return framework.eventlet.listen(address)
    except OSError as error:
        ip, port = address
        _fail(LACKS, f"{option} {ip}:{port}: {error.strerror}; choose another port, 0 takes any that is free")


def _fail(code: int, line: str) -> NoReturn:
    print(f"controller: {line}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    sys.exit(main())
