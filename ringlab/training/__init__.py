"""A real training with PyTorch's DistributedDataParallel, one rank a host, over an emulated fabric."""
