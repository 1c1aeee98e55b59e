import pytest

from collectives.perf.options import UsageError, parse

PEERS = ["--rank", "1", "--peers", "10.0.0.1,10.0.0.2"]


def test_defaults_are_those_of_nccl_tests():
    options = parse(PEERS)
    assert (options.sizes, options.iters, options.warmup_iters, options.checks) == ((32 << 20,), 20, 1, 1)
    assert (options.ops, options.dtypes, options.average, options.in_place) == (("sum",), ("float",), 1, True)
    assert (options.rank, options.peers) == (1, ("10.0.0.1", "10.0.0.2"))


ALL_FLAGS = """
-b 8 -e 1K -f 4 -n 3 -w 0 -c 2 -o max -d double -a 3 -J o.json --algorithm ring --channels 2
--timeout 1.5 --rendezvous-timeout 2 --no-in-place --device-name x --token t
"""


def test_all_flags():
    options = parse([*PEERS, *ALL_FLAGS.split()])
    assert options.sizes == (8, 32, 128, 512)
    assert (options.min_bytes, options.max_bytes, options.step_factor) == (8, 1024, 4)
    assert (options.iters, options.warmup_iters, options.checks, options.average) == (3, 0, 2, 3)
    assert (options.ops, options.dtypes, options.json_path) == (("max",), ("double",), "o.json")
    assert (options.algorithm, options.channels, options.in_place) == ("ring", 2, False)
    assert (options.timeout_s, options.rendezvous_timeout_s, options.device_name, options.token) == (1.5, 2, "x", "t")


def test_steps_of_bytes():
    assert parse([*PEERS, "-b", "1K", "-e", "4K", "-i", "1K"]).sizes == (1024, 2048, 3072, 4096)
    assert parse([*PEERS, "-b", "0", "-e", "0", "-i", "0"]).sizes == (0,)
    assert parse([*PEERS, "--sizes", "1M,8"]).sizes == (1 << 20, 8)


def test_each_size_may_have_iterations_of_its_own():
    options = parse([*PEERS, "--sizes", "1M,8", "-n", "3,40"])
    assert (options.iters, options.iters_of(1 << 20), options.iters_of(8), options.iters_text) == (3, 3, 40, "3,40")
    assert options.settings()["iterations"] == "3,40+1", "all ranks must have the same"
    assert parse([*PEERS, "--sizes", "1M,8", "-n", "5"]).iters_of(8) == 5


def test_all_types_and_operations():
    options = parse([*PEERS, "-d", "all", "-o", "all"])
    assert options.ops == ("sum", "prod", "min", "max", "avg")
    assert "half" in options.dtypes


def test_local_ranks_share_an_address():
    options = parse(["--ranks", "3", "--address", "127.0.0.9"])
    assert (options.rank, options.peers) == (None, ("127.0.0.9",) * 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "say who takes part"),
        ("--ranks 2 --rank 1", "--ranks starts all ranks here"),
        ("--ranks 0", "--ranks 0: at least 1"),
        ("--rank 2 --peers 10.0.0.1,10.0.0.2", "--rank 2: from 0 to 1"),
        ("--rank 0 --peers 10.0.0.1,,10.0.0.2", "an address is empty"),
        ("--ranks 2 -b 2K -e 1K", "-b 2K is above -e 1K"),
        ("--ranks 2 -b 1T", "-b: '1T' is no size"),
        ("--ranks 2 --sizes 1,x", "--sizes: 'x' is no size"),
        ("--ranks 2 --check-timed -m 2", "--check-timed: each operation begins at a barrier"),
        ("--ranks 2 -n x", "-n x: a number, or one for each of --sizes"),
        ("--ranks 2 --sizes 8,1K -n 3,0", "-n 0: at least 1"),
        ("--ranks 2 --sizes 8,1K -n 3,4,5", "-n 3,4,5: 3 numbers, but 2 --sizes"),
        ("--ranks 2 -b 8 -e 1K -f 2 -n 3,4", "-n 3,4: 2 numbers, but no --sizes"),
        ("--ranks 2 -b 0 -e 8 -f 2", "sizes would never grow"),
        ("--ranks 2 -b 1 -e 8 -i 0", "sizes would never grow"),
        ("--ranks 2 -n 0", "-n 0: at least 1"),
        ("--ranks 2 -w -1", "-w -1: 0 or more"),
        ("--ranks 2 -o xor", "-o xor: there are sum"),
        ("--ranks 2 -d floot", "-d floot: did you mean 'float'"),
        ("--ranks 2 -a 4", "argument -a/--average: invalid choice"),
        ("--ranks 2 --timeout 0", "seconds, more than 0"),
        ("al_reduce --ranks 2", "al_reduce: did you mean 'all_reduce'"),
        ("--ranks 2 -r 2", "-r 2: a rank from 0 to 1, or all"),
        ("--ranks 2 -g 8", "-g 8: only 1, as a rank is a process without a GPU: give --ranks"),
        ("--ranks 2 -G 1", "-G 1: only 0, as there are no CUDA graphs"),
        ("--ranks 2 -n 5 -K 5", "-K 5: fewer than the 5 iterations"),
        ("--ranks 2 -m 0", "-m 0: at least 1"),
        ("--ranks 2 --nonsense", "unrecognized arguments: --nonsense"),
    ],
)
def test_usage_errors_are_one_line(words, message):
    with pytest.raises(UsageError) as error:
        parse(words.split())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_tell_long_lists_apart():
    one = parse([*PEERS, "-b", "8", "-e", "64M", "-f", "2"]).settings()
    two = parse([*PEERS, "-b", "8", "-e", "64M", "-f", "4"]).settings()
    assert one["sizes"].startswith("8..64M (24 sizes")
    assert one["sizes"] != two["sizes"]
    assert parse([*PEERS, "--sizes", "8,1M"]).settings()["sizes"] == "8,1M"


def test_operations_and_their_flags():
    options = parse(["reduce_scatter_perf", *PEERS, "-o", "all", "-t", "1", "-g", "1", "-m", "3", "-N", "0", "-z", "1"])
    assert (options.kind.name, options.algorithm, len(options.ops)) == ("reduce_scatter", "auto", 5)
    assert (options.agg_iters, options.run_cycles, options.blocking) == (3, 0, 1)
    assert options.roots(2) == (-1,)
    assert options.algorithms() == {"reduce_scatter": "auto"}
    rooted = parse(["broadcast", *PEERS, "-r", "all", "-o", "max"])
    assert (list(rooted.roots(2)), rooted.ops) == ([0, 1], ("sum",))
    assert parse(PEERS).algorithms() == {}
    assert one_differs(parse(["gather", *PEERS]).settings(), parse(["gather", *PEERS, "-r", "1"]).settings())


def one_differs(one, other):
    return sum(one[key] != other[key] for key in one) == 1
