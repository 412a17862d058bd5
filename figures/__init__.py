"""Figures of the README: `python -m figures` redraws them from the records in `data/`, and simulates nothing.

`python -m figures.records` makes the records anew.
"""
