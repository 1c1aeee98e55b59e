# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Write ring allreduce
#
# A tour through exercise 2 (`ringlab exercise start 2`). n ranks in a circle want the sum of all their messages.
# Each may send to the next rank only, one chunk a step.
#
# A *transfer* says: at this step, this rank sends this chunk to that rank, which copies it or adds it to its own.

# %%
from collectives.schedule import Op, ScheduleError, Transfer
from collectives.verify import verify
from ringlab.exercises.chunks import made, show

# %% [markdown]
# ## A first try
#
# Let every rank send its own chunk on, again and again.


# %%
def too_simple(n):
    return [Transfer(step, rank, (rank + 1) % n, rank, Op.REDUCE) for step in range(n - 1) for rank in range(n)]


try:
    verify(made(4, too_simple(4)))
except ScheduleError as error:
    print(error)

# %% [markdown]
# The verifier works on sets of contributors, and says which rank and chunk went wrong. Nothing travels further than
# one hop: a rank must pass on what it has just added to. That is the chunk before its own: at step s rank r sends
# chunk r - s.


# %%
def ring_reduce_scatter(n):
    return [Transfer(s, r, (r + 1) % n, (r - s) % n, Op.REDUCE) for s in range(n - 1) for r in range(n)]


def ring_all_gather(n):
    return [Transfer(s, r, (r + 1) % n, (r + 1 - s) % n, Op.COPY) for s in range(n - 1) for r in range(n)]


show(4, ring_reduce_scatter(4), ring_all_gather(4))

# %% [markdown]
# ## Proven, and counted

# %%
for n in range(2, 17):
    schedule = made(n, ring_reduce_scatter(n), ring_all_gather(n))
    verify(schedule)
    assert schedule.num_steps == 2 * (n - 1)
print("proven for n = 2 to 16")

# %%
from ringlab.exercises.measure import Setup, fabric, simulate

network = fabric("star:hosts=8")
found = simulate(Setup(network, made(8, ring_reduce_scatter(8), ring_all_gather(8)), 4_000_000), "shortest")
print({host: found.link_bytes[network.nic(host)] for host in network.hosts})
print(f"{found.time_s * 1e3:.1f} ms, busbw {found.busbw:.4f} B")
assert found.busbw > 0.99
