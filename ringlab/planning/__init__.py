"""What to build, before anything is built: where communication comes to dominate, and which fabric a budget buys."""
