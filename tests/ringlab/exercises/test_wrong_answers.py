"""Mistakes that students make: each is caught by the check that is meant for it, and hinted at."""

import pytest

from ringlab.exercises.catalog import by_number
from ringlab.exercises.examine import examine

MISTAKES = [
    (1, "return nbytes / time_s", "return 2 * nbytes / time_s", {"algbw", "line-rate"}),
    (1, "2 * (n - 1) / n", "(n - 1) / n", {"factor", "line-rate"}),
    (2, "(r - s) % n, Op.REDUCE", "(r + s) % n, Op.REDUCE", {"correct"}),
    (2, "(r + 1 - s) % n, Op.COPY", "(r - s) % n, Op.COPY", {"correct"}),
    (
        2,
        "Op.REDUCE) for s in range(n - 1)",
        "Op.REDUCE) for s in range(n)",
        {"reduce-scatter", "steps", "bytes"},
    ),
    (2, "(r + 1) % n, (r + 1 - s) % n, Op.COPY", "(r - 1) % n, (r + 1 + s) % n, Op.COPY", {"neighbours"}),
    (3, "return 2 * (n - 1) * alpha_s +", "return (n - 1) * alpha_s +", {"formulas", "formulas-cross"}),
    (3, "low = middle", "high = middle", {"measured-crossing"}),
    (4, "Transfer(r - 1, r, 0, 0, Op.REDUCE)", "Transfer(0, r, 0, 0, Op.REDUCE)", {"correct"}),
    (4, "2 * (n - 1) * nbytes * 8", "n * nbytes * 8", {"formula"}),
    (5, "or len(down) < len(flows)", "", {"other-fabric"}),
    (5, 'POLICY = "pinned"', 'POLICY = "ecmp:seed=0"', {"policy"}),
    (5, 'POLICY = "pinned"', 'POLICY = "spanning-tree"', {"policy"}),
    (
        6,
        "key=lambda host: leaf_of[host]",
        "key=lambda host: host[-1] in '1357'",
        {"one-crossing", "one-spine", "immune"},
    ),
    (6, "return sorted(hosts", "return sorted(list(hosts)[:7]", {"one-crossing"}),
    (7, ".relabel(range(n)[::-1], n)", "", {"two-rings", "busbw"}),
    (7, "SINGLE_RING = 1.0", "SINGLE_RING = 2.0", {"single-ring"}),
    (7, "if link.name not in crossed", "if link.name in crossed", {"unused"}),
    (8, "inside.then(between).then(outwards)", "inside.then(between)", {"correct"}),
    (8, ".shifted(i * groups, n)", ".shifted(0, n)", {"correct"}),
    (9, "if link in link_names(fabric, path):", "if True:", {"who-moves"}),
    (9, "ways(fabric, key, frozenset([link]))", "ways(fabric, key)", {"ways", "rules"}),
    (9, "moved[key] = min(others", "moved[key] = max(others", {"balance"}),
    (10, "return min(shares)", "return sum(shares) / len(shares)", {"pace"}),
    (10, ".difference(*fast)", "", {"finds"}),
    (
        11,
        "for a, b in blocks]",
        "for c, d in blocks for a, b in zip(([x] for x in c), ([x] for x in d))]",
        {"interval", "a-a"},
    ),
    (11, "BLOCKS = 6", "BLOCKS = 3", {"finds-5-percent"}),
    (11, "BLOCKS = 6", "BLOCKS = 20", {"few-blocks"}),
    (11, 'return "slower" if high < 0 else "unknown"', 'return "slower"', {"a-a"}),
    (12, "max(2 * (n - 1) * alpha_s, ", "sum((2 * (n - 1) * alpha_s, ", None),
    (12, ") + alpha_s", ")", {"formula"}),
    (12, "            break\n", "            continue\n", {"honest"}),
    (13, "for port in paths[demand.key].hops:", "for port in ():", {"rings", "beats-ecmp", "measured"}),
    (14, "Transfer(0, core[0], site[0], 0, Op.COPY)", "Transfer(0, core[0], site[0], 0, Op.REDUCE)", {"correct"}),
    (14, "* (1 - most) / (most", "/ (most", {"rarely"}),
    (15, ">= limit", "> limit", {"buckets"}),
    (15, "now = max(now, ready) + takes", "now = ready + takes", {"one-stream"}),
    (15, "LIMIT = 8_000_000", "LIMIT = 100_000_000", {"limit"}),
    (16, "(pair * queues + queue) % 2**14", "pair % 2**14", {"ports", "evens-out"}),
    (16, "(pair * queues + queue) % 2**14", "pair * 10_000 + queue", {"ports"}),
    (16, "return 1 / max(loads)", "return len(loads) / sum(loads)", {"busbw"}),
    (16, "QUEUES = 8", "QUEUES = 32", {"fewest"}),
]


@pytest.mark.parametrize(("number", "right", "wrong", "caught_by"), MISTAKES)
def test_a_mistake_is_caught(number, right, wrong, caught_by, tmp_path):
    text = (by_number(number).folder / "solution.py").read_text()
    assert text.count(right) >= 1, "the solution is written otherwise by now"
    file = tmp_path / "exercise.py"
    file.write_text(text.replace(right, wrong, 1))
    found = examine(by_number(number), file)
    failed = {verdict.name for verdict in found.verdicts if not verdict.passed}
    if caught_by is None:
        assert failed or found.error
        return
    assert not found.error
    assert caught_by <= failed
    assert all(verdict.hint for verdict in found.verdicts if verdict.name in failed)
