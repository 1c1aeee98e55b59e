"""What waits for what, in an order in which it can happen."""

from __future__ import annotations

from collections.abc import Sequence


def in_order(needs: Sequence[Sequence[int]]) -> tuple[list[int], int | None]:
    """Each number of an item after all those in ``needs[item]``; and an item that waits for itself, if one does.

    The order is without those that never start.
    """
    missing = [len(one) for one in needs]
    followers: list[list[int]] = [[] for _ in needs]
    for item, one in enumerate(needs):
        for need in one:
            followers[need].append(item)
    order = [item for item, count in enumerate(missing) if not count]
    for item in order:  # grows as it goes
        for other in followers[item]:
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
    return order, _of_circle(needs, missing) if len(order) < len(needs) else None


def _of_circle(needs: Sequence[Sequence[int]], missing: Sequence[int]) -> int:
    """Going back from any that never starts ends in a circle."""
    item = next(item for item, count in enumerate(missing) if count)
    seen: set[int] = set()
    while item not in seen:
        seen.add(item)
        item = next(need for need in needs[item] if missing[need])
    return item
