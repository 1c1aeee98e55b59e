"""The process: one line when it listens, clear ends, and the client's words with it. No switches, no root."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection

import pytest

from controller.__main__ import _core, main
from controller.client import Announced, ControllerClient, ControllerError
from controller.process import running_controller
from topologies.fabric import Port
from topologies.formats import dumps
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey

pytestmark = pytest.mark.process

FABRIC = leaf_spine(2, 2, 1)
KEY = FlowKey("h1", "h2", 30000, 20000)
DEMANDS = [Demand(KEY, (0, 1), (1000, 500))]


@pytest.fixture(scope="module")
def controller():
    with running_controller(FABRIC) as running:
        yield running


def test_a_job_from_announcement_to_withdrawal(controller):
    client = controller.client
    assert client.status()["framework"] == controller.framework
    taken = client.announce("ring", "pinned", DEMANDS)
    assert taken == Announced(1, pytest.approx(1.2e-7), pytest.approx(1.2e-7), pytest.approx(0))
    paths = client.paths()
    assert set(paths) == {KEY, KEY.reversed()}
    assert paths[KEY].hops[0] == Port("h1", 1)
    assert client.status()["jobs"] == ["ring"]
    with pytest.raises(ControllerError) as error:
        client.wait_ready(0.05)
    late = "switch leaf1 is missing, switch leaf2 is missing, switch spine1 is missing, switch spine2 is missing"
    assert str(error.value) == f"not ready after 0.05 s: {late}"
    with pytest.raises(ControllerError, match=r"^the controller refused: no routing policy 'best'"):
        client.announce("ring", "best", DEMANDS)
    assert client.status()["epoch"] == 1
    client.withdraw()
    client.withdraw()
    assert (client.status()["epoch"], client.paths()) == (2, {})
    assert client.rules() == []  # no switch has any


def test_a_held_back_answer_holds_nobody_else_up_and_comes_when_the_job_does(controller):
    answers = []

    def wait():
        connection = HTTPConnection(controller.client.address, timeout=20)
        connection.request("GET", "/v1/status?wait_epoch=0&timeout=0.3")
        answers.append(json.loads(connection.getresponse().read()))
        connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    start = time.monotonic()
    controller.client.status()
    assert time.monotonic() - start < 0.3
    waiting.join()
    assert answers[0]["ready"] is False
    assert time.monotonic() - start > 0.25


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/", 404), ("POST", "/v1/jobs", 405), ("PUT", "/v1/jobs", 400), ("GET", "/v1/status?timeout=x", 400)],
)
def test_wrong_requests_get_json_too(controller, method, target, status):
    connection = HTTPConnection(controller.client.address, timeout=20)
    connection.request(method, target, "{" if method != "GET" else None)
    answer = connection.getresponse()
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert set(json.loads(answer.read())) == {"error"}
    connection.close()
    assert controller.client.status()["handler_errors"] == 0


def test_nonsense_on_the_openflow_port_harms_nobody(controller):
    ip, _, port = controller.openflow.partition(":")
    with socket.create_connection((ip, int(port)), timeout=10) as nonsense:
        nonsense.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) * 8)
        nonsense.shutdown(socket.SHUT_WR)
        while nonsense.recv(4096):
            pass
    assert controller.client.status()["handler_errors"] == 0


def start(*arguments):
    command = [sys.executable, "-m", "controller", "--fabric", "-", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, **pipes, text=True)
    process.stdin.write(dumps(FABRIC))
    process.stdin.close()
    process.stdin = None
    return process


ANY_PORTS = ("--openflow", "127.0.0.1:0", "--northbound", "127.0.0.1:0")


def test_it_ends_at_once_and_quietly_by_signals_and_with_its_parent():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        kept = start(*ANY_PORTS, "--parent-pid", str(parent.pid))
        stopped = start(*ANY_PORTS, "--framework", "os_ken")
        for process in (kept, stopped):
            said = json.loads(process.stdout.readline())
            assert said["pid"] == process.pid
            assert said["openflow"] != said["northbound"]
        parent.kill()
    begin = time.monotonic()
    stopped.send_signal(signal.SIGINT)
    for process in (kept, stopped):
        assert process.communicate(timeout=10) == ("", "")
        assert process.returncode == 0
    assert time.monotonic() - begin < 3  # 0.3 s when idle


def test_a_taken_port_is_one_line_and_code_3(controller):
    process = start("--openflow", controller.openflow, "--northbound", "127.0.0.1:0")
    out, talk = process.communicate(timeout=20)
    assert (process.returncode, out) == (3, "")
    taken = f"--openflow {controller.openflow}: Address already in use"
    assert talk == f"controller: {taken}; choose another port, 0 takes any that is free\n"


def test_a_controller_that_does_not_start_says_why_in_its_own_words():
    with pytest.raises(ControllerError, match=r"invalid choice: 'pox'"), running_controller(FABRIC, framework="pox"):
        pass


def test_a_bad_fabric_is_code_2(tmp_path, capsys):
    bad = tmp_path / "bad.yaml"
    bad.write_text("generator: leaf-spine\nleavs: 4\n")
    for file, line in [
        (bad, f"controller: {bad}:2: leavs: leaf-spine has no such parameter; did you mean 'leaves'?"),
        (tmp_path / "none", f"controller: --fabric {tmp_path / 'none'}: No such file or directory"),
    ]:
        with pytest.raises(SystemExit) as end:
            _core(str(file), None)
        assert end.value.code == 2
        assert capsys.readouterr().err.splitlines()[0] == line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: --fabric"),
        (["--fabric", "x", "--openflow", "6653"], "'6653': an IPv4 address and a port, as in 127.0.0.1:6653"),
        (["--fabric", "x", "--openflow", "127.0.0.1:99999"], "an IPv4 address and a port"),
        (["--fabric", "x", "--northbound", "0.0.0.0:80"], "--northbound 0.0.0.0: beyond loopback"),
        (["--fabric", "x", "--tls-cert", "x"], "--tls-key: missing; these go together: --tls-cert, --tls-key"),
        (["--fabric", "x", "--token-file", "/nowhere"], "--token-file /nowhere: "),
        (["--fabric", "x", "--poll", "-1"], "'-1': a number of seconds, from 0"),
        (["--fabric", "x", "--scale", "0.5"], "'0.5': a number from 1: the wires' rate is the links', divided by it"),
        (["--fabric", "x", "--scale", "inf"], "'inf': a number from 1"),
        (["--fabric", "x", "--scale", "nan"], "'nan': a number from 1"),
        (["--fabric", "x", "--framework", "pox"], "invalid choice: 'pox'"),
    ],
)
def test_wrong_usage_is_code_2(arguments, words, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


class MadeError(Exception):
    """The core that a controller was to be served with."""


def test_the_scale_reaches_telemetry(tmp_path, monkeypatch):
    def make(*arguments):
        raise MadeError(_core(*arguments))

    file, port = tmp_path / "fabric.yaml", FABRIC.ports("leaf1")[0]
    file.write_text(dumps(FABRIC))
    monkeypatch.setattr("controller.__main__._core", make)
    monkeypatch.setattr("controller.__main__.load", lambda framework: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    for arguments, scale in [([], 1), (["--scale", "500"], 500)]:
        with pytest.raises(MadeError) as made:
            main(["--fabric", str(file), *arguments])
        assert made.value.args[0].telemetry.wire_bps(port) == FABRIC.rate_bps(port) / scale


def test_a_client_without_a_controller_says_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ControllerError) as error:
        ControllerClient(address).status()
    assert str(error.value) == (
        f"no answer from the controller at {address}: [Errno 111] Connection refused; does it run?"
    )
