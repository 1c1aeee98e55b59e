"""``python -m collectives``: the all_reduce benchmark, with nccl-tests' flags, table and JSON file."""
