"""A small training with DistributedDataParallel. Nothing here knows of ringlab but the name of the backend.

torchrun --nproc-per-node 2 examples/ddp.py --backend ringlab
torchrun --nproc-per-node 2 examples/ddp.py --backend gloo
"""

import argparse
from datetime import timedelta
from importlib.util import find_spec

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

if find_spec("collectives"):
    import collectives.torch_backend  # noqa: F401 - registers "ringlab"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="ringlab")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()

    dist.init_process_group(arguments.backend, timeout=timedelta(seconds=30))
    rank = dist.get_rank()
    torch.manual_seed(rank)  # ranks begin apart: DDP gives all of them rank 0's weights
    model = DistributedDataParallel(nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 1)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    teacher = torch.linspace(-1, 1, 64)

    for step in range(arguments.steps):
        inputs = torch.randn(32, 64)
        loss = nn.functional.mse_loss(model(inputs).squeeze(1), inputs @ teacher)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average = loss.detach()
        dist.all_reduce(average)
        if rank == 0 and (step % 5 == 0 or step == arguments.steps - 1):
            print(f"step {step:3}: loss {average.item() / dist.get_world_size():.6f}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
