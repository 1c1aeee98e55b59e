"""The metrics, the configuration and the dashboard, tried on the real Prometheus server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from controller.process import running_controller
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey

ROOT = Path(__file__).parents[2]
FABRIC = leaf_spine(2, 2, 2)
START_S = 30.0


def program(name):
    """Of the system, or where ``setup.sh`` has unpacked Debian's package."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:{ROOT / '.venv/prometheus/usr/bin'}")
    if found is None:
        assert not os.environ.get("CI"), f"{name} is missing: setup.sh gets it"
        pytest.skip(f"{name} is not installed")
    return found


pytestmark = pytest.mark.process


@contextmanager
def prometheus(target, folder):
    """A server that scrapes ``target`` by our configuration; yields a function that asks it."""
    configuration = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    configuration["global"]["scrape_interval"] = "200ms"
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    command = [program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log, cwd=folder) as server,
    ):
        try:
            yield lambda expression: ask(address, expression)
        finally:
            server.terminate()
            server.wait(10)


def ask(address, expression):
    """The result, none while the server does not answer yet."""
    try:
        with urlopen(f"http://{address}/api/v1/query?query={quote(expression)}", timeout=5) as answer:
            told = json.load(answer)
    except (URLError, ConnectionError):
        return []
    assert told["status"] == "success", (expression, told)
    return told["data"]["result"]


def eventually(condition):
    deadline = time.monotonic() + START_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return value


def dashboard_expressions():
    dashboard = json.loads((ROOT / "deploy/grafana/ringlab.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_a_live_controller_is_scraped_and_every_panel_can_be_asked_for(tmp_path):
    program("prometheus")
    with running_controller(FABRIC) as controller, prometheus(controller.client.address, tmp_path) as query:
        controller.client.announce("job", "pinned", [Demand(FlowKey("h1", "h3", 1, 2), (0,), (1000,))])
        epoch = eventually(lambda: [one for one in query("ringlab_epoch") if one["value"][1] == "1"])
        assert epoch[0]["metric"]["job"] == "ringlab"
        [objective] = query("ringlab_job_objective_seconds")
        assert objective["metric"]["job_name"] == "job"
        assert len(query("ringlab_link_up == 1")) == len(FABRIC.links)
        assert query("up")[0]["value"][1] == "1"
        for expression in dashboard_expressions():
            query(expression)


def test_names_and_configuration_pass_promtools_own_checks():
    promtool = program("promtool")
    with running_controller(FABRIC) as controller:
        text = urlopen(f"http://{controller.client.address}/metrics", timeout=10).read()
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, timeout=30, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
    done = subprocess.run(
        [promtool, "check", "config", ROOT / "deploy/prometheus.yml"], capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_dashboard_asks_only_for_metrics_that_there_are():
    with running_controller(FABRIC) as controller:
        text = urlopen(f"http://{controller.client.address}/metrics", timeout=10).read().decode()
    for expression in dashboard_expressions():
        words = expression.replace("(", " ").replace(")", " ").replace("[", " ").split()
        for name in (word for word in words if word.startswith("ringlab_")):
            assert f"# HELP {name.removesuffix('_total')}" in text, name
