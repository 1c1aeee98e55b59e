"""ringlab, the lab bench for AI-cluster networks: the application over fabrics, collectives and switches."""

__version__ = "0.1.0"
