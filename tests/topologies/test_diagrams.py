from dataclasses import replace

from topologies.diagrams import to_dot, to_mermaid
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(1, 1, 1, fabric_rate_bps=25 * 10**9)


def test_dot():
    assert to_dot(replace(FABRIC, name='a "b"')) == (
        'graph "a \\"b\\"" {\n'
        '  "h1" [shape=ellipse];\n'
        '  "leaf1" [shape=box];\n'
        '  "spine1" [shape=box];\n'
        '  "h1" -- "leaf1" [label="100G 1us", taillabel="1", headlabel="1"];\n'
        '  "leaf1" -- "spine1" [label="25G 1us", taillabel="2", headlabel="1"];\n'
        "}\n"
    )


def test_mermaid():
    assert to_mermaid(FABRIC) == (
        "graph BT\n"
        "  n_h1([h1])\n"
        "  n_leaf1[leaf1]\n"
        "  n_spine1[spine1]\n"
        '  n_h1 ---|"100G 1us"| n_leaf1\n'
        '  n_leaf1 ---|"25G 1us"| n_spine1\n'
    )
