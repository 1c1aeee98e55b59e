"""The commands that bring a port from one Condition to another. Pure.

Silent loss needs no netem: a classic BPF program of a ``clsact`` hook drops frames where they leave, before they are
queued, and answers TC_ACT_STOLEN, so that neither the sender's socket nor its TCP hears of it (TC_ACT_SHOT would tell
both). It hangs on the sending side because packet sockets, by which the switches receive, see a frame before the
receiving side's hook does. The kernel's filter(4) extension for random numbers throws the dice of a partial loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emulation.delay import Impairment
from emulation.faults import Condition
from emulation.plan import Interface, Settings, bucket

LOSS_PRIORITY = 7
"""Of our filter among those of the interface's clsact hook: others may hang there too."""

_RANDOM = 0xFFFFF038  # SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h
_STOLEN, _GO_ON = 4, 0xFFFFFFFF  # TC_ACT_STOLEN, TC_ACT_UNSPEC of linux/pkt_cls.h


def commands(
    interface: Interface, settings: Settings, before: Condition, after: Condition, wire: str = ""
) -> list[str]:
    """``ip`` and ``tc`` command lines for the namespace of ``interface``; none where nothing changes.

    ``wire`` names the interface that shapes a relayed direction (``delay_relay.py``); its delay and loss are the
    relay's business (``impairment``).
    """
    return [
        *_carrier(interface, before, after),
        *_rate(interface, wire or interface.name, settings, before, after),
        *(() if wire else _delay(interface, settings, before, after)),
        *(() if wire else _loss(interface, before, after)),
    ]


def impairment(interface: Interface, condition: Condition) -> Impairment:
    """What a relay should do to the frames of the direction under ``condition``."""
    planned = interface.shape.impairment
    return Impairment(
        planned.delay_s + condition.delay_s,
        planned.jitter_s + condition.jitter_s,
        1 - (1 - planned.loss) * (1 - condition.loss),
    )


def loss_program(loss: float) -> str:
    """The bytecode, as tc takes it, of a program that drops the share ``loss`` of all frames."""
    if loss >= 1:
        return f"1,6 0 0 {_STOLEN},"
    threshold = round((1 - loss) * 2**32)  # a random word from here on is a loss
    return f"4,32 0 0 {_RANDOM},53 0 1 {threshold},6 0 0 {_STOLEN},6 0 0 {_GO_ON},"


def _carrier(interface: Interface, before: Condition, after: Condition) -> Iterator[str]:
    if before.up != after.up:
        yield f"ip link set {interface.name} {'up' if after.up else 'down'}"


def _rate(interface: Interface, name: str, settings: Settings, before: Condition, after: Condition) -> Iterator[str]:
    if before.rate_bps == after.rate_bps:
        return
    shape = interface.shape
    if after.rate_bps is not None:
        burst, quantum = bucket(after.rate_bps, settings.mtu)  # else it would stay as bursty as before
        shape = replace(shape, rate_bps=after.rate_bps, burst_bytes=burst, quantum_bytes=quantum)
    yield f"tc class change dev {name} parent 1: classid 1:1 {shape.htb}"


def _delay(interface: Interface, settings: Settings, before: Condition, after: Condition) -> Iterator[str]:
    if (before.delay_s, before.jitter_s) == (after.delay_s, after.jitter_s):
        return
    wanted = impairment(interface, Condition(delay_s=after.delay_s, jitter_s=after.jitter_s))
    handle = 10 if wanted == Impairment() else 11
    queue = replace(interface.shape, impairment=wanted, netem=True).queue(settings.mtu)
    yield f"tc qdisc replace dev {interface.name} parent {interface.shape.leaf} handle {handle}: {queue}"


def _loss(interface: Interface, before: Condition, after: Condition) -> Iterator[str]:
    if before.loss == after.loss:
        return
    where = f"dev {interface.name} egress pref {LOSS_PRIORITY}"
    if not before.loss:
        yield f"tc qdisc show dev {interface.name} clsact | grep -q . || tc qdisc add dev {interface.name} clsact"
    if after.loss:
        yield f"tc filter replace {where} handle 1 bpf da bytecode '{loss_program(after.loss)}'"
    else:
        yield f"tc filter del {where}"
