"""Schedules from and to the formats of other tools: MSCCL XML, GOAL, and the steps of a page that shows chunks moving.

Pure: text in, text out. ``msccl_reader`` and ``msccl_writer``, ``goal``, ``stepper``.
"""
