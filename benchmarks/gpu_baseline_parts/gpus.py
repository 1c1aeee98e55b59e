"""What NVIDIA GPUs and what software for them this machine has."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NCCL_TESTS = "all_reduce_perf"


@dataclass(frozen=True)
class Machine:
    """``gpus`` by name; the versions are empty, and ``nccl_tests`` None, where there is none of it."""

    gpus: tuple[str, ...]
    driver: str
    torch: str
    nccl: str
    nccl_tests: str | None


class NoGpuError(Exception):
    """Nothing can be measured here: says what is missing and what to do."""


def machine(nccl_tests_folder=None):
    """What is here. NoGpuError where the machine has no GPU, or none of the programs that would use it."""
    names, driver = nvidia_smi()
    if not names:
        raise NoGpuError("no NVIDIA GPU here (nvidia-smi finds none): run this on a machine that has one")
    torch, nccl = torch_nccl()
    program = find_nccl_tests(nccl_tests_folder)
    if not nccl and not program:
        raise NoGpuError(
            f"{len(names)} GPUs, but neither nccl-tests ({NCCL_TESTS} on the PATH, or --nccl-tests DIR) nor a torch "
            "with CUDA and NCCL: pip install torch, from the index for this machine's CUDA"
        )
    return Machine(names, driver, torch, nccl, program)


def nvidia_smi():
    """The GPUs' names, and the driver's version; no names where there is no driver, or it has no GPU."""
    if not shutil.which("nvidia-smi"):
        return (), ""
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return (), ""
    return parse_smi(found.stdout) if found.returncode == 0 else ((), "")


def parse_smi(text):
    """``NVIDIA H100 80GB HBM3, 535.1`` a line -> names, driver."""
    rows = [line.rsplit(",", 1) for line in text.splitlines() if "," in line]
    return tuple(name.strip() for name, _ in rows), rows[0][1].strip() if rows else ""


def torch_nccl():
    """The versions of torch and of the NCCL in it; empty where there is no torch, or none for GPUs."""
    try:
        import torch  # noqa: PLC0415 - seconds to import, and only asked where there is a GPU
    except ImportError:
        return "", ""
    if not torch.cuda.is_available() or not torch.distributed.is_nccl_available():
        return torch.__version__, ""
    return torch.__version__, ".".join(map(str, torch.cuda.nccl.version()))


def find_nccl_tests(folder=None):
    """The path of all_reduce_perf: in ``folder``, else on the PATH; None if there is none."""
    if folder is not None:
        for place in (Path(folder), Path(folder) / "build"):
            if os.access(place / NCCL_TESTS, os.X_OK):
                return str(place / NCCL_TESTS)
        raise NoGpuError(f"{folder}: no {NCCL_TESTS} there, nor in its folder build; name where nccl-tests was built")
    return shutil.which(NCCL_TESTS)
