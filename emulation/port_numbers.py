"""Did every port get the number that the rules will use?"""

from __future__ import annotations

import json
from collections.abc import Iterable

from emulation.errors import RunError
from emulation.plan import Interface

LIST_PORTS = ("--format=json", "--columns=name,ofport,error", "list", "Interface")
"""Arguments of ``ovs-vsctl``, whose answer ``check_ports`` reads."""


def check_ports(wanted: Iterable[Interface], answer: str) -> None:
    """RunError for the first interface of ``wanted`` that is no port, or one with another number."""
    found = {name: (number, error) for name, number, error in json.loads(answer)["data"]}
    for end in wanted:
        number, error = found.get(end.name, (None, "not in Open vSwitch"))
        if number != end.port.number:
            said = error if isinstance(error, str) else f"it has number {number}"
            raise RunError(f"port {end.port} ({end.name}) could not be added: {said}")
