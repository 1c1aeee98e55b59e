"""When flows end, by SimGrid: a network as JSON on standard input, the ends as a JSON list on standard output.

Run by the system's Python, which has python3-simgrid: /usr/bin/python3 simgrid_ends.py < network.json

    {"capacity": [per link, bytes a second], "paths": [[link, ...] per flow], "amount": [bytes], "start": [seconds]}

Model CM02, whose rates are max-min fair; no latency, all its correction factors 1 or off. Every flow has two hosts of
its own, so that its route is just its links.
"""

import json
import sys

from simgrid import Actor, Engine, LinkInRoute, Mailbox, NetZone, this_actor

OPTIONS = {
    "network/model": "CM02",
    "network/crosstraffic": "0",
    "network/TCP-gamma": "0",
    "network/bandwidth-factor": "1",
    "network/latency-factor": "1",
    "network/weight-S": "0",
}


def main():
    network = json.load(sys.stdin)
    engine = Engine(
        ["simgrid_ends", "--log=root.threshold:error", *(f"--cfg={key}:{value}" for key, value in OPTIONS.items())]
    )
    zone = NetZone.create_full_zone("network")
    links = [
        zone.create_link(f"link{number}", capacity).set_latency(0).seal()
        for number, capacity in enumerate(network["capacity"])
    ]
    found = [0.0] * len(network["paths"])
    ends = []
    for number, path in enumerate(network["paths"]):
        source, target = (zone.create_host(f"{end}{number}", 1e9).seal() for end in ("source", "target"))
        route = [LinkInRoute(links[link]) for link in path]
        zone.add_route(source.netpoint, target.netpoint, None, None, route, False)
        ends.append((source, target))
    zone.seal()

    def send(number, start, amount):
        this_actor.sleep_until(start)
        Mailbox.by_name(str(number)).put(number, round(amount))

    def receive(number):
        Mailbox.by_name(str(number)).get()
        found[number] = Engine.clock

    for number, (source, target) in enumerate(ends):
        Actor.create(f"send{number}", source, send, number, network["start"][number], network["amount"][number])
        Actor.create(f"receive{number}", target, receive, number)
    engine.run()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
