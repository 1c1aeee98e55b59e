"""Starts the ranks of ``rank.py``, here or in the hosts of an emulated fabric, and gathers what they found."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.gpu_baseline_parts.environment import rank_environment
from emulation.commands import MORTAL

RANK = Path(__file__).with_name("rank.py")
STORE_PORT = 29400
START_S = 120.0  # torch and CUDA take half a minute on a cold disk
GRACE_S = 5.0


class RanksError(Exception):
    """A rank ended badly, or none came to an end: the rank and its last words."""


def argv(given, rank, store, folder):
    """The command line of a rank; ``given`` is a plan (``measure.Plan``)."""
    return [
        sys.executable, "-P", str(RANK),  # -P: files beside it have modules' names
        "--rank", str(rank), "--ranks", str(given.ranks), "--store", store,
        "--backend", given.backend, "--device", given.device, "--gpu", str(rank % max(1, given.gpus)),
        "--sizes", ",".join(map(str, given.sizes)), "--iters", str(given.iters),
        "--timeout-s", str(given.timeout_s), "--out", str(folder),
    ]  # fmt: skip


def here(given):
    """Run all ranks on this machine, over ``given.interface``; what each wrote, by rank."""
    with tempfile.TemporaryDirectory(prefix="ringlab-gpu-") as folder:
        store = f"127.0.0.1:{free_port()}"
        processes = []
        try:
            for rank in range(given.ranks):
                environment = rank_environment(
                    os.environ, rank, interface=given.interface, apart=given.apart, user=given.user
                )
                said = Path(folder, f"rank-{rank}.txt").open("w")  # noqa: SIM115 - closed with the rank
                command = argv(given, rank, store, folder)
                processes.append(
                    (subprocess.Popen([*MORTAL, *command], env=environment, stdout=said, stderr=said), said)
                )
            await_all(processes, START_S + given.timeout_s)
        finally:
            for process, said in processes:
                if process.poll() is None:
                    process.kill()
                process.wait()
                said.close()
        raise_failure([process for process, _ in processes], folder)
        return gathered(folder, given.ranks)


def on_fabric(given, fabric, scale, say):
    """The same in a host of ``fabric`` each, paths pinned; needs root, as every lab does. The rates are nominal."""
    from collectives.peers.libraries import GLOO  # noqa: PLC0415 - Mininet only where a lab is built
    from emulation import doctor, hosts  # noqa: PLC0415 - likewise
    from emulation.lab import new_tag, scratch_folder  # noqa: PLC0415 - likewise
    from emulation.plan import Plan  # noqa: PLC0415 - likewise
    from ringlab.experiments.bench import Job, bench  # noqa: PLC0415 - likewise
    from ringlab.experiments.library_start import first_addresses  # noqa: PLC0415 - likewise
    from topologies.catalog import from_short_form  # noqa: PLC0415 - likewise

    described = from_short_form(fabric)
    placement = described.hosts[: given.ranks]
    if len(placement) < given.ranks:
        raise RanksError(f"{fabric}: {len(described.hosts)} hosts for {given.ranks} ranks; ask for more hosts")
    plan = Plan(described, new_tag(), doctor.settings(scale, 9000, "reno"))
    with bench(plan, Job("ring", placement), say) as ready:
        # Like gloo, NCCL knows its own ports only: each pair of hosts gets one path.
        ready.install("pinned", max(given.sizes), GLOO)
        store = f"{first_addresses(ready.network, placement)[0]}:{STORE_PORT}"
        with scratch_folder(plan.tag) as folder:

            def command(rank):
                interface = plan.interface_name(described.nic(placement[rank]))
                kept = rank_environment(os.environ, rank, interface=interface, apart=given.apart, user=given.user)
                words = [f"{name}={value}" for name, value in kept.items()]
                return ["env", "-i", *words, *argv(given, rank, store, folder)]

            try:
                hosts.run_ranks(ready.network, placement, command, START_S + given.timeout_s)
            except hosts.RanksError as error:
                raise RanksError(str(error)) from None
            return gathered(folder, given.ranks)


def gathered(folder, ranks):
    return [json.loads(Path(folder, f"rank-{rank}.json").read_text()) for rank in range(ranks)]


def await_all(processes, patience_s):
    """Until all have ended, or the first ended badly and the others had time to say why."""
    deadline = time.monotonic() + patience_s
    while (running := [process for process, _ in processes if process.poll() is None]) and time.monotonic() < deadline:
        if any(process.returncode for process, _ in processes):
            deadline = min(deadline, time.monotonic() + GRACE_S)
        try:
            running[0].wait(0.2)
        except subprocess.TimeoutExpired:
            continue


def raise_failure(processes, folder):
    """Of the rank that ended by itself, if one did: others were killed here because of it."""

    def blame(one):
        return one[1].returncode == -signal.SIGKILL, one[1].returncode < 0

    for rank, process in sorted(enumerate(processes), key=blame):
        if process.returncode:
            lines = Path(folder, f"rank-{rank}.txt").read_text(errors="replace").strip().splitlines()
            said = lines[-1] if lines else f"status {process.returncode}, and no word"
            raise RanksError(f"rank {rank}: {said}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
