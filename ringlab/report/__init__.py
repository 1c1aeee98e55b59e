"""Runs to hand in: one HTML file that needs nothing else, rows of CSV, figures for a paper.

``page.html(runs)`` joins what the other files make of a Result: ``picture`` (the fabric and its load), ``figures``
(latency, what happened when), ``rows`` (CSV). All of it follows from the Result; nothing is measured again.
"""
