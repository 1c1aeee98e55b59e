"""The parts of ``benchmarks/gpu_baseline.py``, one matter a file; all but the measurements themselves need no GPU."""
