"""What can be wrong with a request to route."""


class RoutingError(ValueError):
    """A policy that isn't known, or demands it can't route: says what is wrong, and what there is."""
