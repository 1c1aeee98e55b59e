"""A/B: which of several arms is faster, by how much, and how sure that is. What differs may be anything a spec says.

Theory of operation. A *block* gives each arm one turn, in random order; arms that share a fabric share one that is
built for the block, others have their own built for their turn. So whatever drifts meets all arms of a block alike, and
what counts is the ratio of two arms' times *within* a block: one number a block, and blocks are independent.
``interval`` makes an interval of those numbers, ``verdict`` words of the interval, ``stopping`` says when to look and
when to stop, ``spending`` how much surer each look has to be because there are several.

The parts that decide know no clock and no machine: ``benchmarks/ab.py`` runs the very same code on invented times.
"""
