"""``--backend``: what a run runs on."""

import click

backend_option = click.option(
    "--backend",
    type=click.Choice(["emulated", "simulated", "both", "auto"]),
    default="emulated",
    show_default=True,
    help="Real packets, flows in numbers, one beside the other, or packets where this machine can send them.",
)
