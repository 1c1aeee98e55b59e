"""Experiments: what is asked (spec), what was found (result) and how sure it is, how it looks, where it is kept."""
