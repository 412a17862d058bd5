"""`python -m llrsim.bench`: the command `llrsim bench`."""

import sys

from llrsim.commands import main_bench

if __name__ == "__main__":
    sys.exit(main_bench())
