"""What can go wrong for a user, by whose fault it is; each kind is an exit code of the command line.

======  ==================================================================================
code    meaning
======  ==================================================================================
0       ok
1       a check failed: the program worked, and the answer is no (``CheckError``)
2       usage: a wrong command line, spec or fabric file (``UsageError``)
3       the machine lacks something: rights, a program, a kernel feature (``MachineError``)
4       the run failed; also an error of ringlab itself (``RunError``)
130     interrupted (Ctrl-C), as shells count it: 128 + SIGINT
======  ==================================================================================

A message says what is wrong, where, and what to do. Each of an error's lines becomes one line ``ringlab: ...`` on
standard error; there is no traceback without ``--debug``.
"""

from __future__ import annotations

OK = 0
INTERRUPTED = 130

# Errors of the packages below, by name: importing them here would make help slow.
_BELOW = {
    "topologies.fabric.FabricError": 2,
    "topologies.yaml_lines.DocumentError": 2,
    "emulation.errors.PlanError": 2,
    "emulation.errors.MachineError": 3,
    "emulation.errors.RunError": 4,
    "controller.client.ControllerError": 4,
    "controller.client.ControllerStartError": 3,
}


class RinglabError(Exception):
    """The base: ``str(error)`` is for the user, line by line; ``exit_code`` is for the shell."""

    exit_code = 4


class CheckError(RinglabError):
    """What was to be checked is not so."""

    exit_code = 1


class UsageError(RinglabError):
    """The user can mend it in the command line or in a file."""

    exit_code = 2


class MachineError(RinglabError):
    """Not to be had on the machine as it is."""

    exit_code = 3


class RunError(RinglabError):
    """It began well and broke."""

    exit_code = 4


def exit_code_of(error: BaseException) -> int | None:
    """The exit code of an error that is meant for the user, ours or of a package below; None for any other."""
    if isinstance(error, RinglabError):
        return error.exit_code
    kinds = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((_BELOW[kind] for kind in kinds if kind in _BELOW), None)
