"""Many simulations (or emulations) from one file: ``ringlab sweep SPEC``.

Theory of operation. A sweep file is a base, which is a spec, and changes to it, as a grid or as a list
(``sweep_file``). Each combination is a *scenario*: one plain mapping that holds the whole spec after its changes, and a
seed that follows from its content (``scenario``). ``work.run`` takes a scenario and gives a *record*, on whichever
machine; an *engine* (``engines/``) brings scenarios to where they are worked on, and records back as they finish.
Records go to a file of JSON lines at once (``store``), so that a sweep may be stopped, and goes on where it was. What a
record says beside its ``meta`` follows from its scenario alone: it is the same to the bit on every engine, with any
number of workers.
"""
