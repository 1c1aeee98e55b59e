"""What libraries there are and can do, what mpirun is told, and what its words mean: no library is loaded."""

import pytest

from collectives.operations import ALL_REDUCE, Operation
from collectives.peers.libraries import GLOO, LIBRARIES, OPEN_MPI, RINGLAB
from collectives.peers.mpirun import Launch, command, explained, rank_of
from collectives.perf.options import UsageError, parse

HERE = ("--ranks", "3", "--library")
SPREAD = ("10.0.0.1", "10.0.0.3", "10.0.0.1", "10.0.0.3", "10.0.0.2")


def test_only_reductions_depend_on_the_type():
    GLOO.check(Operation("broadcast"), ["uint64"], ["sum"])
    with pytest.raises(ValueError, match=r"^gloo has no all_reduce of type uint64: it has int8, uint8, int32"):
        GLOO.check(ALL_REDUCE, ["float", "uint64"], ["sum"])
    with pytest.raises(ValueError, match=r"^openmpi has no reduce at root 1 of reduction avg: it has sum, prod, min"):
        OPEN_MPI.check(Operation("reduce", 1), ["float"], ["avg"])
    RINGLAB.check(ALL_REDUCE, ["bfloat16"], ["avg"])


@pytest.mark.parametrize("name", LIBRARIES)
def test_all_types_are_those_that_the_library_has(name):
    options = parse([*HERE, name, "-d", "all", "-o", "all"])
    assert (options.dtypes, options.ops) == (LIBRARIES[name].dtypes, LIBRARIES[name].ops)
    assert len(parse(["broadcast", *HERE, name, "-d", "all"]).dtypes) == 10
    assert options.device_name == LIBRARIES[name].device


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*HERE, "glo"), "--library glo: did you mean 'gloo'?"),
        ((*HERE, "openmpi", "-d", "half"), "openmpi has no all_reduce of type half: it has int8"),
        ((*HERE, "gloo", "-o", "avg"), "gloo has no all_reduce of reduction avg: it has sum"),
        ((*HERE, "gloo", "--algorithm", "ring"), "--algorithm: only of our own library"),
        ((*HERE, "gloo", "--explain"), "--explain: only of our own library"),
        ((*HERE, "gloo", "--channels", "2"), "--channels 2: only of our own library"),
        (("--rank", "0", "--peers", "a,b", "--library", "openmpi"), "--rank 0: mpirun numbers the ranks of openmpi"),
        (("--peers", "a,b", "--library", "gloo"), "say who takes part"),
        (("--peers", "a,b"), "say who takes part"),
    ],
)
def test_usage_errors_are_one_line(words, said):
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_peers_alone_are_enough_where_mpirun_starts_the_ranks():
    options = parse(["--peers", "10.0.0.1,10.0.0.2", "--library", "openmpi", "--mpi-agent", "/bin/sh agent"])
    assert (options.rank, options.peers, options.mpi_agent) == (None, ("10.0.0.1", "10.0.0.2"), "/bin/sh agent")


def test_mpirun_here_uses_tcp_over_loopback_and_no_shared_memory():
    words = command(Launch("mpirun", ("127.0.0.1",) * 3, "/scratch"), ["python"])
    said = " ".join(words)
    assert "--mca btl self,tcp --mca btl_tcp_if_include 127.0.0.0/8" in said
    assert "--host" not in words
    assert words[-3:] == ["-n", "3", "python"]
    shared = command(Launch("mpirun", ("127.0.0.1",) * 3, "/scratch", shared_memory=True), ["python"])
    assert "self,sm,tcp" in shared


def test_mpirun_elsewhere_starts_daemons_by_the_agent():
    words = " ".join(command(Launch("mpirun", SPREAD, "/scratch", "10.0.0.0/12", "/bin/sh agent"), ["python"]))
    assert "--host 10.0.0.1:2,10.0.0.3:2,10.0.0.2:1" in words
    assert "plm_ssh_agent /bin/sh agent" in words
    assert "oob_tcp_if_include 10.0.0.0/12" in words


def test_ranks_are_numbered_host_by_host():
    assert [rank_of(world, SPREAD) for world in range(5)] == [0, 2, 1, 3, 4]
    assert [rank_of(world, ("127.0.0.1",) * 3) for world in range(3)] == [0, 1, 2]


DISCONNECTED = """
An MPI communication peer process has unexpectedly disconnected.  This
usually indicates a failure in the peer process

  Local host: h1
  Peer host:  h3
"""
KILLED = """
--------------------------------------------------------------------------
prterun noticed that process rank 1 with PID 10184 on node h1 exited on
signal 9 (Killed).
--------------------------------------------------------------------------
"""
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no such thing\n' + "-" * 20


@pytest.mark.parametrize(
    ("said", "one_line"),
    [
        (DISCONNECTED + KILLED, "rank 2 (10.0.0.1) was ended by SIGKILL"),
        (DISCONNECTED, "a rank on h3 ended without a word to the others"),
        ("----\npython -m collectives: rank 1: Open MPI: boo\n----\nprterun detected that", "rank 1: Open MPI: boo"),
        (TRACEBACK, "ValueError: no such thing"),
        ("-----\nNo network interfaces were\nfound.\n----", "mpirun: No network interfaces were found."),
        ("", "mpirun: it failed and said nothing"),
    ],
)
def test_what_mpirun_says_becomes_one_line(said, one_line):
    assert explained(said, SPREAD) == one_line
