"""``python -m collectives``: the benchmarks of nccl-tests, with its flags, tables and JSON file."""
