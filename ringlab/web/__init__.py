"""The live view: what happens in a run becomes one state, which a page in a browser follows."""
