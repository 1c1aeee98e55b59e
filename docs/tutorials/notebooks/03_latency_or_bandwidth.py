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
# # Latency or bandwidth?
#
# A tour through exercise 3 (`ringlab exercise start 3`). Recursive doubling sends the whole message log2(n) times,
# the ring less than twice, in 2(n - 1) steps. For which sizes is each the faster one, among 8 ranks?
#
# Two numbers describe the network: a step costs alpha = 200 us, a byte beta = 80 ns (100 Mb/s).

# %%
from ringlab.exercises.measure import ALPHA_S, B, Setup, simulate

BETA_S = 8 / B
SIZES = [1_000 * 2**power for power in range(15)]
NAMES = ("ring", "halving-doubling", "recursive-doubling")


def time_s(algorithm, nbytes):
    return simulate(Setup.of("star:hosts=8", algorithm, 8, nbytes // 4 * 4), "shortest").time_s


def ring_s(nbytes):
    return 14 * ALPHA_S + 1.75 * nbytes * BETA_S


def recursive_doubling_s(nbytes):
    return 3 * ALPHA_S + 3 * nbytes * BETA_S


measured = {name: [time_s(name, size) for size in SIZES] for name in NAMES}

# %% [markdown]
# ## The formulas cross at 22.0 kB
#
# 14 alpha + 1.75 S beta = 3 alpha + 3 S beta.

# %%
by_formula = 11 * ALPHA_S / (1.25 * BETA_S)
print(f"{by_formula:.0f} bytes")
assert abs(ring_s(by_formula) / recursive_doubling_s(by_formula) - 1) < 1e-9

# %% [markdown]
# ## What is simulated crosses earlier

# %%
low, high = 1_000, 1_000_000
for _ in range(12):
    middle = round((low * high) ** 0.5)
    if time_s("ring", middle) > time_s("recursive-doubling", middle):
        low = middle
    else:
        high = middle
crossing = (low * high) ** 0.5
print(f"{crossing:.0f} bytes; 4 alpha / beta is {4 * ALPHA_S / BETA_S:.0f}")
assert abs(crossing / (4 * ALPHA_S / BETA_S) - 1) < 0.05

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 4))
for name, style in zip(NAMES, ("o-", "s-", "^-"), strict=True):
    axes.loglog(SIZES, [one * 1e3 for one in measured[name]], style, label=name)
axes.loglog(SIZES, [ring_s(size) * 1e3 for size in SIZES], ":", label="ring, formula")
axes.axvline(crossing, linewidth=0.5)
axes.set(xlabel="bytes", ylabel="ms")
axes.legend()

# %% [markdown]
# ## Explain
#
# The formula lets each step of the ring wait for all bytes of the one before. In the simulator, as in the real library
# with large chunks, a rank passes on the first bytes of a chunk while the last are still arriving: latencies and bytes
# overlap. Recursive doubling turns to another peer at each step, and can't do that. For packets the crossing lies
# between the two: a chunk of some kB is less than one frame, and streams in part at most.
