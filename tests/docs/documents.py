"""Code blocks of the documentation, and how a reader would run them.

A block's language says what it is; a word after ``sh`` says how it is run:

    ```sh                       as it stands, by bash, in a folder with the examples and the files of ``a_bench``
    ```sh root                  the same, by a test that is root's
    ```sh exits-1               the same as it stands, and ends with exit code 1: a check that fails
    ```sh server                in the background, until the document ends
    ```sh not-run: REASON       by nobody; the reason is for the reader of the source
    ```python                   all such blocks of a document as one program; one that begins with its file's name
                                ("# spread.py: ...") lies there for the commands
    ```python torchrun          the same, as two ranks
    ```yaml                     read as what it looks like: a spec, a part of one, a sweep, a fabric, ...
    ```text, json, xml ...      output, or a picture: not run
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[2]
SHOWN = ("text", "json", "xml", "html", "csv", "mermaid", "{figure}", "{toctree}", "{image}")
"""Languages of what is shown and not run."""


@dataclass(frozen=True)
class Block:
    """``how`` is the word after the language, with its reason."""

    document: Path
    line: int
    language: str
    how: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document.relative_to(REPOSITORY)}:{self.line}"


def read_blocks(document: Path) -> list[Block]:
    """All blocks of a document, indented ones (which have no language) too."""
    tokens = MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))
    return [
        Block(document, token.map[0] + 1, *_info(token.info), token.content)
        for token in tokens
        if token.type in {"fence", "code_block"} and token.map
    ]


def _info(words: str) -> tuple[str, str]:
    language, _, how = words.strip().partition(" ")
    return language, how.strip()


def read_documents() -> list[Path]:
    tracked = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return [path for path in tracked if "_build" not in path.parts]


def as_typed() -> dict[str, str]:
    """The environment of a reader who has our programs on the path."""
    programs = Path(sys.executable).parent
    return {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY), "MPLBACKEND": "agg",
    }  # fmt: skip


def bash(command: str, folder: Path, timeout_s: float = 240.0) -> subprocess.CompletedProcess[str]:
    """``command`` as a reader would type it in ``folder``."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=as_typed(), text=True, timeout=timeout_s,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
