"""Speed as ratios: each measurement by turns with a reference, in one process, on one BLAS thread.

`python -m llrsim.bench` prints the table. A ratio is the reference's time over llrsim's, so larger is faster, and it
moves less between machines than a time does; two records of the same machine tell what a change of the code cost.
"""
