"""``ringlab ab FABRIC POLICY POLICY ...``: compare policies without writing a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ringlab.commands.backend import backend_option
from ringlab.examples_first import Command
from ringlab.json_output import json_option

ECMP_SEEDS = [1, 2, 3]  # one draw of a hash says little


@click.command(
    cls=Command,
    examples=[
        "ringlab ab leaf-spine:leaves=4,spines=2,hosts=2 ecmp pinned",
        "ringlab ab ring:switches=6,hosts=1 spanning-tree shortest --algorithm bidirectional-ring",
        "ringlab ab fat-tree:k=8 ecmp spray pinned --backend simulated",
        "ringlab ab fabric.yaml ecmp:seed=7 pinned --size 16M --repeats 5 --json ab.json",
    ],
)
@click.argument("fabric")
@click.argument("policies", nargs=-1, required=True)
@click.option("--algorithm", default="ring", show_default=True)
@click.option("--channels", type=int, default=1, show_default=True)
@click.option("--placement", default="interleaved", show_default=True, help="contiguous or interleaved.")
@click.option("--size", "sizes", multiple=True, default=["1M", "8M"], show_default=True, help="Give it several times.")
@click.option("--repeats", type=int, default=3, show_default=True, help="Turns of every policy.")
@click.option("--scale", type=float, help="Time dilation; default: what this machine carries.")
@click.option("--baseline", help="A published baseline to stand beside it.")
@click.option("--framework", type=click.Choice(["auto", "ryu", "os_ken"]), default="auto", show_default=True)
@backend_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@json_option
def command(
    fabric: str,
    policies: tuple[str, ...],
    framework: str,
    backend: str,
    out: Path,
    json_target: str | None,
    **options: Any,
) -> None:
    """Compare POLICIES on FABRIC (a short form or a file): a ring allreduce, one rank a host.

    The last policy is compared with each of the others; ecmp without a seed is three draws.
    """
    import yaml  # noqa: PLC0415 - only where it is used

    from ringlab.commands.run import check_outcome  # noqa: PLC0415 - likewise
    from ringlab.experiments import fabrics, session  # noqa: PLC0415 - likewise
    from ringlab.experiments import spec as specs  # noqa: PLC0415 - likewise

    written = {
        "name": "ab",
        "fabric": {"file": str(Path(fabric).absolute())} if fabrics.is_file_name(fabric) else fabric,
        "collective": "all_reduce",
        "arms": [{"ecmp": {"seeds": ECMP_SEEDS}} if policy == "ecmp" else policy for policy in policies],
        **{name: list(value) if name == "sizes" else value for name, value in options.items() if value is not None},
    }
    text = yaml.safe_dump(written, sort_keys=False)
    check_outcome(session.run_and_keep(specs.loads(text, "ab"), text, out, framework, json_target, backend))
