"""One file a command: ``ringlab/commands/<name>.py`` holds ``command``, a ``ringlab.examples_first.Command``."""
