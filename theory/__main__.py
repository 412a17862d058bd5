"""`python -m theory` runs, times and lists all derivations; `python -m theory T5 --latex` prints the steps of some."""

from __future__ import annotations

import argparse
import time

from . import RESULTS
from .typeset import paragraph


def main() -> None:
    """Run the derivations asked for; a step that does not hold raises and ends with a traceback."""
    known = sorted({result.id for result in RESULTS}, key=lambda identifier: int(identifier[1:]))
    parser = argparse.ArgumentParser(prog="python -m theory", description="Derivations of what llrsim predicts.")
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"results to run: {' '.join(known)} (default all)")
    parser.add_argument("--latex", action="store_true", help="print every step as LaTeX, for amsmath and amssymb")
    options = parser.parse_args()
    unknown = [identifier for identifier in options.ids if identifier not in known]
    if unknown:
        parser.error(f"unknown result {unknown[0]!r}; known: {' '.join(known)}")
    started = time.perf_counter()
    for result in RESULTS:
        if options.ids and result.id not in options.ids:
            continue
        begin = time.perf_counter()
        proof = result.derive()
        seconds = time.perf_counter() - begin
        if options.latex:
            print(paragraph(f"{result.id}: {result.name}", proof), end="\n\n")
        else:
            print(f"{result.id:4s} {result.name:40s} {seconds:6.2f} s  {proof.summary()}")
    if not options.latex:
        print(f"all hold, {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
