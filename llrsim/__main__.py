"""`python -m llrsim` and `llrsim`: every command."""

import sys

from llrsim.commands import main

if __name__ == "__main__":
    sys.exit(main())
