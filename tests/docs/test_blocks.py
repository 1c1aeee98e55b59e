"""Every command and every code block of README and docs runs, or says why it does not."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ringlab.experiments import spec as specs
from ringlab.sweeps import sweep_file
from topologies import containerlab, formats

sys.path.insert(0, str(Path(__file__).parent))
from documents import REPOSITORY, SHOWN, Block, as_typed, bash, read_blocks, read_documents

pytestmark = pytest.mark.timeout(600)

DOCUMENTS = read_documents()
BLOCKS = [block for document in DOCUMENTS for block in read_blocks(document)]
WAYS = ("", "root", "server", "exits-1")
PROCESSES = re.compile(r"python -m collectives|torchrun|ringlab view")


def _of(document: Path, *languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.document == document and block.language in languages]


def _kind(document: Path) -> str:
    """Which tests run the document: those of its most demanding block."""
    blocks = [block for block in _of(document, "sh") if not block.how.startswith("not-run")]
    if any(block.how == "root" for block in blocks):
        return "root"
    return "process" if any(block.how == "server" or PROCESSES.search(block.text) for block in blocks) else "pure"


def _with(kind: str) -> Iterator[Any]:
    marks = {"root": [pytest.mark.root], "process": [pytest.mark.process], "pure": []}[kind]
    for document in DOCUMENTS:
        if _of(document, "sh", "python") and _kind(document) == kind:
            yield pytest.param(document, marks=marks, id=str(document.relative_to(REPOSITORY)))


def test_every_block_says_what_it_is() -> None:
    unknown = [
        f"{block.place}: {block.language or 'no language'} {block.how}"
        for block in BLOCKS
        if not (
            block.language in (*SHOWN, "yaml")
            or (block.language == "python" and block.how in {"", "torchrun"})
            or (block.language == "sh" and (block.how in WAYS or re.fullmatch(r"not-run: .{8,}", block.how)))
        )
    ]
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize("document", [*_with("pure"), *_with("process"), *_with("root")])
def test_its_commands_and_code_run(
    document: Path, a_bench: Callable[[], Path], servers: list[subprocess.Popen[str]], request: pytest.FixtureRequest
) -> None:
    if request.node.get_closest_marker("root"):
        request.getfixturevalue("nothing_left")
    folder = a_bench()
    if programs := _of(document, "python"):
        _run_python(programs, folder)
    for block in _of(document, "sh"):
        if block.how == "server":
            servers.append(_serve(block, folder))
        elif not block.how.startswith("not-run"):
            _run_shell(block, folder)


def _run_shell(block: Block, folder: Path) -> None:
    wanted = re.findall(r"(?:^|[|&]\s*)(jq|dot|mn|curl|torchrun)\b", block.text, re.MULTILINE)
    missing = [word for word in wanted if not _there(word)]
    if missing:
        pytest.skip(f"{block.place}: this machine has no {', '.join(missing)}")
    done = bash(block.text, folder)
    wanted = 1 if block.how == "exits-1" else 0
    assert done.returncode == wanted, f"{block.place}: exit code {done.returncode}\n{block.text}\n{done.stdout[-3000:]}"


def _there(program: str) -> bool:
    return bool(shutil.which(program) or shutil.which(program, path=str(Path(sys.executable).parent)))


def _run_python(blocks: list[Block], folder: Path) -> None:
    for block in blocks:
        if named := re.match(r"# (\w+\.py)\b", block.text):
            (folder / named[1]).write_text(block.text)
    (folder / "document.py").write_text("\n".join(block.text for block in blocks))
    start = "torchrun --nproc-per-node 2" if blocks[0].how == "torchrun" else "python"
    done = bash(f"{start} document.py", folder)
    assert done.returncode == 0, f"{blocks[0].place} and on: exit code {done.returncode}\n{done.stdout[-3000:]}"


def _serve(block: Block, folder: Path) -> subprocess.Popen[str]:
    """Started, and listening where its command line says, or on the northbound's own port."""
    port = int(found[1]) if (found := re.search(r"127\.0\.0\.1:(\d+)", block.text)) else 8080
    process = subprocess.Popen(
        ["bash", "-c", f"exec {block.text.strip()}"], cwd=folder, env=as_typed(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    pytest.fail(f"{block.place}: nothing listens on port {port}")


SPEC_AROUND: dict[str, Any] = {
    "name": "part", "fabric": "leaf-spine:leaves=4,spines=2,hosts=2", "algorithm": "ring", "sizes": ["1M"],
    "arms": ["pinned"], "iterations": 10,
}  # fmt: skip
"""What stands around a part of a spec."""


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"], ids=lambda block: block.place)
def test_yaml_is_what_it_seems_to_be(block: Block, bench: Path) -> None:
    """A spec or a part of one, a sweep, a fabric of ours or of containerlab: read by what reads such files."""
    data, text, folder = yaml.safe_load(block.text), block.text, bench / "examples"
    assert isinstance(data, dict), block.place
    if "grid" in data or "list" in data:
        sweep_file.loads(text, block.place, folder)
    elif "topology" in data:
        containerlab.loads(text, block.place)
    elif "links" in data or "generator" in data:
        formats.loads(text, block.place)
    elif set(data) & {"scrape_configs", "global"}:
        pytest.skip("Prometheus' own")
    elif "model" in data or "base" in data:
        pytest.skip("read by the command that shows it")
    else:
        specs.loads(yaml.safe_dump({**SPEC_AROUND, **data}), block.place, folder)
