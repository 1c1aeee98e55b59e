"""What a shell offers at Tab: algorithms, policies, fabrics and files, baselines, kept runs.

``eval "$(_RINGLAB_COMPLETE=bash_source ringlab)"`` turns it on (zsh_source, fish_source likewise).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem

FABRIC_FILES = (".yaml", ".yml", ".json", ".graphml", ".topo")


def algorithms(_context: Context, _parameter: Parameter, begun: str) -> list[str]:
    from collectives import algorithms as known  # noqa: PLC0415 - numpy only where it is used

    return _that_begin(known.names(), begun)


def policies(_context: Context, _parameter: Parameter, begun: str) -> list[str]:
    from controller import routing  # noqa: PLC0415 - likewise

    return _that_begin(routing.names(), begun)


def baselines(_context: Context, _parameter: Parameter, begun: str) -> list[str]:
    from ringlab.experiments import baselines as known  # noqa: PLC0415 - reads the tables

    return _that_begin(known.names(), begun)


def runs(_context: Context, _parameter: Parameter, begun: str) -> list[CompletionItem]:
    """Folders in ``runs/``, then any file."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only when a shell asks

    folders = sorted(f"{path}" for path in Path("runs").glob("*") if (path / "result.json").is_file())
    return [CompletionItem(name) for name in _that_begin(folders, begun)] or [CompletionItem(begun, type="file")]


def fabrics(_context: Context, _parameter: Parameter, begun: str) -> list[CompletionItem]:
    """Kinds of fabric, and files here that may hold one."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only when a shell asks

    from topologies import catalog  # noqa: PLC0415 - networkx only where it is used

    kinds = [f"{kind}:" for kind in (*catalog.GENERATORS, "system")]
    files = [f"{path}" for path in Path().glob("*") if path.suffix in FABRIC_FILES]
    return [CompletionItem(name) for name in _that_begin([*kinds, *files], begun)]


def _that_begin(names: Iterable[str], begun: str) -> list[str]:
    return [name for name in names if name.startswith(begun)]
