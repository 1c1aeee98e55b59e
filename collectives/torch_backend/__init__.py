"""ringlab's collectives as a backend of PyTorch: importing this registers it under the name "ringlab".

    import collectives.torch_backend
    dist.init_process_group("ringlab")

Theory of operation. A process group is a communicator and a thread that runs its collectives in the order of the calls,
so that DDP's buckets travel while backward computes on (``worker.py``). The ranks meet through torch's store
(``meeting.py``); from then on everything goes straight between them. Messages between two ranks have connections and a
thread of their own (``mail.py``). The first failure ends the group on every rank (``fate.py``).
"""

import torch.distributed as dist

from collectives.torch_backend.process_group import NAME, RinglabGroup, create

__all__ = ["RinglabGroup"]

dist.Backend.register_backend(NAME, create, extended_api=True, devices="cpu")
