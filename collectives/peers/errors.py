"""What a library that is not ours may lack."""

from __future__ import annotations


class MissingError(RuntimeError):
    """A library or one of its programs is not on this machine; says how to install it."""
