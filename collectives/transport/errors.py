"""What goes wrong between ranks. One line each: which rank, which peer, which step, what to do."""

from __future__ import annotations


class TransportError(RuntimeError):
    """The ranks could not do the collective together."""


class RendezvousError(TransportError):
    """The ranks did not find each other, or do not run the same job."""


class PeerLostError(TransportError):
    """A peer's connection ended in the middle."""


class PeerSilentError(TransportError):
    """Nothing moved for as long as the time-out allows."""


class MismatchError(TransportError):
    """The ranks do not call the same collective."""
