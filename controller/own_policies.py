"""A routing policy of one's own, in one file: ``file:my_policy.py`` wherever a policy is named.

The file has a function ``route(fabric, demands)`` that answers a ``Path`` for every demand's key; with a third
parameter ``situation`` it is also told which links are dead, and is asked again when that changes. What it answers is
checked here, flow by flow, before anything else sees it.

Loading a file runs it. So it is loaded only where its user names it: by the program that the user started, and by the
controller's process because that program says so on its command line (``--own-policy``). A request over the network
can name a policy that is known, and never make one known.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any

from controller import routing
from controller.routing import CLEAR, RoutingError, Situation
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

OWN = "file:"
_files: dict[str, FilePath] = {}


def known(text: str, folder: FilePath = FilePath()) -> routing.Policy:
    """The policy that ``text`` names; a file, sought from ``folder``, is loaded anew. RoutingError if there is none."""
    if text.startswith(OWN):
        load(text, folder / text.removeprefix(OWN))
    return routing.policy(text)


def found(text: str) -> routing.Policy:
    """The policy of that text as it is known already; a file that is not is loaded, sought from here."""
    return routing.policy(text) if text in _files else known(text)


def load(text: str, file: FilePath) -> None:
    """From now on ``text`` names the policy in ``file``. RoutingError where the file is none."""
    whole = file.absolute()
    routing.register(text, _checked(text, whole, _function(text, whole)))
    _files[text] = whole


def loaded() -> Mapping[str, FilePath]:
    """The files of all policies of one's own that this process knows, by their text."""
    return dict(_files)


def _function(text: str, file: FilePath) -> Callable[..., Any]:
    if not file.is_file():
        raise RoutingError(f"policy {text!r}: {file} is no file; name one with a function route(fabric, demands)")
    name = f"own_policy_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:16]}"  # two may share a stem
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise RoutingError(f"policy {text!r}: {file} is no Python file; let its name end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    try:
        with _importable(file.parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise RoutingError(f"policy {text!r}: {_said(error, file)}") from error
    function = getattr(module, "route", None)
    if not callable(function):
        raise RoutingError(f"policy {text!r}: {file} has no function route(fabric, demands)")
    return function  # type: ignore[no-any-return]


@contextmanager
def _importable(folder: FilePath) -> Iterator[None]:
    """Modules in ``folder`` can be imported, as by a script there.

    They are forgotten at the end: another folder's module of that name is another one, and a changed one is read anew.
    """
    before = set(sys.modules)
    importlib.invalidate_caches()  # a module may have been written just now
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if "." not in name and FilePath(getattr(sys.modules[name], "__file__", None) or "").parent == folder:
                del sys.modules[name]


def _checked(text: str, file: FilePath, function: Callable[..., Any]) -> Callable[..., dict[FlowKey, Path]]:
    """The user's function as a policy: its errors name its line, its paths are looked at."""
    told = "situation" in inspect.signature(function).parameters

    def route(fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> dict[FlowKey, Path]:
        try:
            answer = function(fabric, demands, situation) if told else function(fabric, demands)
        except RoutingError:
            raise
        except Exception as error:
            raise RoutingError(f"policy {text!r}: {_said(error, file)}") from error
        try:
            return check(fabric, demands, answer, situation)
        except RoutingError as error:
            hint = "" if told or not situation.dead else "; let route take a third argument, situation"
            raise RoutingError(f"policy {text!r}: {error}{hint}") from None

    return route


def check(
    fabric: Fabric, demands: Sequence[Demand], answer: object, situation: Situation = CLEAR
) -> dict[FlowKey, Path]:
    """``answer``, if it has a way over live links for every demand. RoutingError for the first that has none."""
    if not isinstance(answer, Mapping):
        raise RoutingError(f"route must return a dict of paths by flow, not {type(answer).__name__}")
    found, ports = {}, set(fabric.directed_links())
    for demand in demands:
        path = answer.get(demand.key)
        if not isinstance(path, Path):
            raise RoutingError(f"flow {demand.key} has no Path, but {path!r}")
        _check_path(fabric, ports, demand.key, path, situation)
        found[demand.key] = path
    return found


def _check_path(fabric: Fabric, ports: AbstractSet[Port], key: FlowKey, path: Path, situation: Situation) -> None:
    """``ports`` are all that the fabric has."""
    strange = [port for port in path.hops if port not in ports]
    if strange or not path.hops:
        raise RoutingError(f"flow {key}: its path {path} has no such port: {strange or 'it is empty'}")
    first, last = fabric.nic(key.src, key.channel), fabric.attachment(key.dst, key.channel)
    if (path.hops[0], path.hops[-1]) != (first, last):
        raise RoutingError(f"flow {key}: its path {path} must begin with {first} and end with {last}")
    for port, after in zip(path.hops, path.hops[1:], strict=False):
        if fabric.peer(port).node != after.node:
            raise RoutingError(f"flow {key}: {port} leads to {fabric.peer(port).node}, and the path goes on at {after}")
    nodes = path.nodes(fabric)
    if len(set(nodes)) != len(nodes):
        raise RoutingError(f"flow {key}: its path passes a node twice: {' '.join(nodes)}")
    dead = [fabric.link(port).name for port in path.hops if not situation.alive(fabric, port)]
    if dead:
        raise RoutingError(f"flow {key}: its path crosses {dead[0]}, which is dead")


def _said(error: BaseException, file: FilePath) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    if isinstance(error, SyntaxError) and error.lineno:
        lines = [error.lineno]
    place = f"{file.name}, line {lines[-1]}: " if lines else f"{file.name}: "
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{place}{type(error).__name__}: {words}"
