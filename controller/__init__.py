"""Switches that know nothing of allreduce: given a Fabric and Demands, route, prove and install.

Theory of operation. A *policy* (``routing/``) answers a path for every flow; ``rules.py`` turns paths into plain
rules, one a switch and flow, above resident rules that deliver by destination; ``tables.py`` proves on pure tables
that each flow takes its path and arrives once; ``planning.py`` is those three in a row. ``core.py`` holds the only
state that changes: events in (``events.py``), actions out (``actions.py``). Nothing of this knows OpenFlow.
``openflow.py`` spells actions as OpenFlow 1.3, ``app.py`` is the Ryu app, ``northbound.py`` the REST face, and
``framework.py`` picks ryu or os_ken; ``client.py`` and ``process.py`` are for the program that uses the controller.
Import from the modules: this package imports nothing, to be quick.
"""
