import pytest

from collectives.algorithms import build, names
from collectives.choice import Load, Network, choose, load
from collectives.communicator import Communicator
from collectives.cost import COSTS, cost
from collectives.network import measured
from collectives.operations import ALL_REDUCE, Operation, operation_names

FREE_MEMORY = Network(1e-5, 1e-9, 0)


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("num_ranks", [2, 3, 4, 7, 8, 16])
def test_steps_and_bytes_are_those_of_the_closed_form(name, num_ranks):
    found, wanted = load(name, ALL_REDUCE, num_ranks), cost(name, num_ranks, 1.0)
    assert (found.steps, found.moved) == (wanted.steps, pytest.approx(wanted.sent_bytes, rel=1e-4))


@pytest.mark.parametrize(
    ("name", "num_ranks", "touched"),
    [
        ("recursive-doubling", 2, 1),
        ("halving-doubling", 2, 2),
        ("ring", 2, 2),
        ("ring", 4, 3),
        ("recursive-doubling", 4, 2),
    ],
)
def test_memory_is_touched_once_a_step(name, num_ranks, touched):
    """A ring of four sends a quarter and receives another in each of six steps."""
    assert load(name, ALL_REDUCE, num_ranks).touched == pytest.approx(touched, rel=1e-4)


def test_what_decides():
    small, large = (choose(ALL_REDUCE, 8, nbytes, FREE_MEMORY) for nbytes in (8, 1 << 28))
    assert small.algorithm == "recursive-doubling"
    assert large.algorithm == "halving-doubling"  # as few bytes as a ring, in fewer steps
    slow_memory = Network(1e-6, 1e-10, 1e-9)
    assert choose(ALL_REDUCE, 2, 1 << 28, slow_memory).algorithm == "recursive-doubling"
    assert choose(ALL_REDUCE, 8, 8, candidates=["ring"]).algorithm == "ring"


@pytest.mark.parametrize("operation", operation_names())
@pytest.mark.parametrize("num_ranks", [1, 2, 5])
def test_every_operation_has_a_choice(operation, num_ranks):
    doing = Operation(operation, peer=num_ranks - 1)
    if operation == "send" and num_ranks == 1:
        return
    choice = choose(doing, num_ranks, 4096)
    assert choice.algorithm in names(operation)
    assert [seconds for _, seconds in choice.costs] == sorted(seconds for _, seconds in choice.costs)
    assert choice.explain().count(" us") == len(choice.costs)


def test_what_cannot_serve_is_left_out():
    assert load("halving", Operation("reduce_scatter"), 6) is None
    assert "halving" not in dict(choose(Operation("reduce_scatter"), 6, 8).costs)


def test_a_load_is_a_rank_s_not_all_ranks():
    rooted = Load.of(build("rooted", 4))
    assert rooted.moved == pytest.approx(3, rel=1e-4)  # the root hears three messages, and sends three


@pytest.mark.process
def test_ranks_measure_the_same_network_and_go_by_it(group, address):
    def call(rank):
        with Communicator(rank, [address] * 3, algorithm="auto") as communicator:
            found = communicator.tune()
            assert found == communicator.network
            assert communicator.choice("all_reduce", 8) == choose(ALL_REDUCE, 3, 8, found)
            return found, measured(communicator)

    (found, again), *others = group(3, call)
    assert others == [(found, again)] * 2
    assert 1e-6 < found.alpha_s < 0.1
    assert found.gamma_s_per_byte > 1e-12
    assert found.beta_s_per_byte + found.gamma_s_per_byte < 1e-6


@pytest.mark.process
def test_alone_there_is_nothing_to_measure(address):
    with Communicator(0, [address], algorithm="auto") as communicator:
        assert communicator.tune() == communicator.network
