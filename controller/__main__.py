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
from math import inf
from pathlib import Path
from ssl import CERT_REQUIRED
from typing import TYPE_CHECKING, Any, NoReturn

from controller.framework import NAMES, Framework, FrameworkError, load

if TYPE_CHECKING:
    from controller.job_request import ScheduleRequest
    from topologies.traffic import Demand

USAGE, LACKS = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # while it starts; then Lifetime takes over
        signal.signal(number, lambda *_: sys.exit(0))
    token = _token(options.token_file) if options.token_file else ""
    _refuse_open_doors(options, token)
    # Late imports: eventlet must patch this process before other modules look at its sockets and clocks.
    try:
        framework = load(options.framework)
    except FrameworkError as error:
        _fail(LACKS, str(error))
    _set_up_log(options.log)
    _load_own_policies(options.own_policy)
    core = _core(options.fabric, options.state, options.scale)
    openflow = _listen(framework, options.openflow, "--openflow")
    northbound = _listen(framework, options.northbound, "--northbound")
    if options.openflow_cert:
        openflow = _secured(framework, openflow, options.openflow_cert, options.openflow_key, options.openflow_ca)
    if options.tls_cert:
        northbound = _secured(framework, northbound, options.tls_cert, options.tls_key, None)
    _serve(framework, core, openflow, northbound, options, token)
    logging.shutdown()
    return 0


def _serve(
    framework: Framework, core: Any, openflow: Any, northbound: Any, options: argparse.Namespace, token: str
) -> None:
    """Serves the two listening sockets and says so; returns at the end of the process's lifetime."""
    from controller.app import Shell, serve  # noqa: PLC0415
    from controller.lifetime import Lifetime  # noqa: PLC0415

    lifetime = Lifetime(options.parent_pid)
    shell = Shell(framework, core, _expand, Path(options.state) if options.state else None, token)
    serve(framework, shell, openflow, northbound, options.poll)
    ports = {"openflow": openflow.getsockname()[1], "northbound": northbound.getsockname()[1]}
    print(json.dumps({**ports, "pid": os.getpid(), "framework": str(framework)}), flush=True)
    lifetime.wait(lambda fd: framework.eventlet.hubs.trampoline(fd, read=True), framework.hub.spawn)
    if lifetime.orphaned and options.state:
        Path(options.state).unlink(missing_ok=True)


def _expand(request: ScheduleRequest) -> list[Demand]:
    """The demands of a schedule. Here the controller meets the collectives, which it knows nothing of elsewhere."""
    from collectives import algorithms  # noqa: PLC0415
    from collectives.job import demands  # noqa: PLC0415

    schedule = algorithms.build(request.algorithm, len(request.ranks), request.channels)
    return demands(schedule, request.ranks, request.nbytes // request.itemsize, request.itemsize)


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
    parser.add_argument("--northbound", type=_address, default="127.0.0.1:8080", metavar="IP:PORT", help="for programs")
    parser.add_argument("--state", metavar="FILE", help="go on from what is saved here, and save here")
    parser.add_argument(
        "--poll", type=_seconds, default=0.5, metavar="SECONDS", help="between readings of counters; 0 reads none"
    )
    parser.add_argument(
        "--scale", type=_scale, default=1.0, metavar="K",
        help="the wires are K times slower than the fabric's links, as in an emulation: for utilisation and port speed",
    )  # fmt: skip
    parser.add_argument("--token-file", metavar="FILE", help="requests must carry the token that is in here")
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate of the northbound face (PEM)")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key")
    parser.add_argument("--openflow-cert", metavar="FILE", help="certificate shown to switches (PEM)")
    parser.add_argument("--openflow-key", metavar="FILE", help="its private key")
    parser.add_argument("--openflow-ca", metavar="FILE", help="switches must show a certificate signed by this one")
    parser.add_argument(
        "--own-policy", nargs=2, action="append", default=[], metavar=("file:NAME", "FILE"),
        help="a routing policy in a Python file, and the name that jobs call it by; the file is run",
    )  # fmt: skip
    parser.add_argument("--framework", choices=("auto", *NAMES), default="auto")
    parser.add_argument("--log", metavar="FILE", help="log here instead of warnings on standard error")
    parser.add_argument(
        "--parent-pid", type=int, metavar="PID", help="end when this process ends, and remove the saved state"
    )
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


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds, from 0")
    return seconds


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 1 <= scale < inf:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1: the wires' rate is the links', divided by it")
    return scale


def _token(file: str) -> str:
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        _fail(USAGE, f"--token-file {file}: {error}")
    if not (token and token.isascii() and token.isprintable()):
        _fail(USAGE, f"--token-file {file}: must hold one line of printable ASCII; make one with: openssl rand -hex 32")
    return token


def _refuse_open_doors(options: argparse.Namespace, token: str) -> None:
    """Whoever reaches the northbound face can reroute; options that go together must come together."""
    for names in (("tls_cert", "tls_key"), ("openflow_cert", "openflow_key", "openflow_ca")):
        missing = [name for name in names if not getattr(options, name)]
        if missing and len(missing) < len(names):
            lacking = ", ".join("--" + name.replace("_", "-") for name in missing)
            _fail(
                USAGE, f"{lacking}: missing; these go together: {', '.join('--' + n.replace('_', '-') for n in names)}"
            )
    ip = options.northbound[0]
    if not ipaddress.IPv4Address(ip).is_loopback and not (token and options.tls_cert):
        _fail(USAGE, f"--northbound {ip}: beyond loopback (127.0.0.1) it needs --token-file, --tls-cert and --tls-key")


def _secured(framework: Framework, listening: Any, cert: str, key: str, ca: str | None) -> Any:
    """The socket with TLS 1.2 or later; with ``ca``, peers must show a certificate, too."""
    context = framework.tls_context()
    try:
        context.load_cert_chain(cert, key)
        if ca is not None:
            context.load_verify_locations(ca)
            context.verify_mode = CERT_REQUIRED
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        _fail(USAGE, f"TLS with {cert}: {error}")
    return framework.with_tls(listening, context)


def _set_up_log(file: str | None) -> None:
    level = logging.INFO if file else logging.WARNING
    try:
        logging.basicConfig(filename=file, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    except OSError as error:
        _fail(USAGE, f"--log {file}: {error.strerror}")


def _load_own_policies(policies: Sequence[Sequence[str]]) -> None:
    from controller.own_policies import OWN, load  # noqa: PLC0415
    from controller.routing import RoutingError  # noqa: PLC0415

    for text, file in policies:
        if not text.startswith(OWN):
            _fail(USAGE, f"--own-policy {text}: its name must begin with {OWN}")
        try:
            load(text, Path(file))
        except RoutingError as error:
            _fail(USAGE, f"--own-policy: {error}")


def _core(file: str, state: str | None, scale: float = 1.0) -> Any:
    """The core for the fabric in ``file``, with what is saved in the file ``state`` if that exists."""
    from controller.core import Controller  # noqa: PLC0415
    from controller.saved import SavedError  # noqa: PLC0415
    from topologies.formats import loads  # noqa: PLC0415
    from topologies.yaml_lines import DocumentError  # noqa: PLC0415

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return Controller(loads(text, file), _saved(state) if state else None, scale)
    except OSError as error:
        _fail(USAGE, f"--fabric {file}: {error.strerror}")
    except SavedError as error:
        _fail(USAGE, f"--state {state}: {error}")
    except DocumentError as error:  # it says where
        _fail(USAGE, str(error))
    except ValueError as error:
        _fail(USAGE, f"--fabric {file}: {error}")


def _saved(file: str) -> str | None:
    """The saved text; None for a file that does not exist yet, in a folder that can be written to."""
    try:
        path = Path(file)
        if path.exists():
            return path.read_text(encoding="utf-8")
        path.touch(mode=0o600)
        path.unlink()
    except (OSError, UnicodeDecodeError) as error:
        _fail(USAGE, f"--state {file}: {error}")
    return None


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
