"""``python -m ringlab``: the command line."""

import sys

from ringlab.cli import main

sys.exit(main())
