"""`python -m llrsim.sweep`: the command `llrsim sweep`."""

import sys

from ..commands import main_sweep

if __name__ == "__main__":
    sys.exit(main_sweep())
