"""A step of training a large model, in closed form over communication times: who waits for whom, and for how long."""
