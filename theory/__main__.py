"""`python -m theory` runs, times and lists all derivations; `python -m theory T5 --latex` prints the steps of some."""

from __future__ import annotations

import argparse
import time

from . import RESULTS


def main() -> None:
    """Run the derivations asked for; a step that does not hold raises and ends with a traceback."""
    known = sorted({result.id for result in RESULTS}, key=lambda identifier: int(identifier[1:]))
    parser = argparse.ArgumentParser(prog="python -m theory", description="Derivations of what llrsim predicts.")
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"results to run: {' '.join(known)} (default all)")
    parser.add_argument("--latex", action="store_true", help="print every step as LaTeX")
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
            print(f"\\paragraph{{{result.id}: {result.name}.}} {proof.assumptions}")
            print("\n".join(step.latex() for step in proof.steps), end="\n\n")
        else:
            print(f"{result.id:4s} {result.name:40s} {len(proof.steps):3d} steps {seconds:7.2f} s")
    if not options.latex:
        print(f"all hold, {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
