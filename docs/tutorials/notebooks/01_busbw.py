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
# # What is bus bandwidth?
#
# A tour through exercise 1 (`ringlab exercise start 1`). A ring allreduce of 16 MB runs on 2, 4 and 8 hosts of one
# switch, links of 100 Mb/s. The time grows with the number of hosts. Is the network used worse?

# %% [markdown]
# ## Predict
#
# busbw at 8 hosts, as a share of the link's rate B. Change the number before you go on.

# %%
prediction = 0.25

# %% [markdown]
# ## Measure

# %%
from ringlab.exercises.measure import B, Setup, simulate

found = {n: simulate(Setup.of(f"star:hosts={n}", "ring", n, 16_000_000)) for n in (2, 4, 8)}
for n, one in found.items():
    print(f"{n} hosts: {one.time_s * 1e3:7.1f} ms, algbw {8 * 16e6 / one.time_s / B:.3f} B")

# %% [markdown]
# algbw, the bytes of the message over the time, falls. Let us count what crosses a link instead.

# %%
for n, one in found.items():
    sent = one.link_bytes[one.setup.fabric.nic("h1")]
    print(f"{n} hosts: h1 sends {sent} bytes, {sent / 16e6:.3f} times the message; 2(n - 1)/n is {2 * (n - 1) / n:.3f}")

# %% [markdown]
# Each rank sends n - 1 partial sums and n - 1 results, each a chunk of 1/n of the message. Multiply algbw by that
# factor, and it is the rate at which a link works: *busbw*.

# %%
busbw = {n: 8 * 16e6 / one.time_s / B * 2 * (n - 1) / n for n, one in found.items()}
for n, share in busbw.items():
    print(f"{n} hosts: busbw {share:.4f} B")
print(f"you predicted {prediction} B for 8 hosts")
assert min(busbw.values()) >= 0.95

# %% [markdown]
# ## Explain
#
# The links are used as well with 8 hosts as with 2; the time grows because there is more to send, up to twice the
# message. That is why nccl-tests prints busbw: it can be compared with the rate of the link for any number of ranks.

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(list(busbw), [one.algbw for one in found.values()], "o-", label="algbw")
axes.plot(list(busbw), list(busbw.values()), "s--", label="busbw")
axes.set(xlabel="hosts", ylabel="share of B", ylim=(0, 1.1))
axes.legend()
