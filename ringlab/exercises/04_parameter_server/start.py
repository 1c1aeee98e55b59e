"""Exercise 4: why not a parameter server? Read README.md first."""

from collectives.schedule import Op, Transfer
from ringlab.exercises.chunks import made
from ringlab.exercises.measure import B, Setup, fabric, simulate

PREDICTION = None  # how many times as long as a ring, among 8 ranks, for 1 MB?


def parameter_server(n: int) -> list[Transfer]:
    """All to rank 0, at steps 0 to n - 2; then rank 0 to all, at step n - 1."""
    gather: list[Transfer] = []  # TODO: from each of ranks 1 to n - 1, Op.REDUCE
    spread: list[Transfer] = []  # TODO: to each of ranks 1 to n - 1, Op.COPY
    return gather + spread


def server_s(n: int, nbytes: int, rate_bps: float = B) -> float:
    """Seconds that the server's link needs to receive everything, and then to send everything."""
    return 0.0  # TODO: one line


def look() -> None:
    print("ranks  server ms  ring ms  ratio  busbw of the server, in B  formula ms")
    for n in (2, 4, 8):
        network = fabric(f"star:hosts={n}")
        schedule = made(n, parameter_server(n), num_chunks=1)
        if not len(schedule):
            print(f"{n:5}  no transfers yet")
            continue
        server = simulate(Setup(network, schedule, 1_000_000), "shortest")
        ring = simulate(Setup.of(f"star:hosts={n}", "ring", n, 1_000_000), "shortest")
        print(
            f"{n:5}  {server.time_s * 1e3:9.1f}  {ring.time_s * 1e3:7.1f}  {server.time_s / ring.time_s:5.2f}"
            f"  {server.busbw:25.3f}  {server_s(n, 1_000_000) * 1e3:10.1f}"
        )


if __name__ == "__main__":
    look()
