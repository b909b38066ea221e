"""Measure how much more this CRO costs than the work that cannot be avoided: `make bench`.

Each figure is a ratio of two medians of one run: the CRO's, and that of a floor or a peer. Both are measured in turn,
so the ratio is the same on a slow machine as on a fast one. `docs/performance.md` has the results and explains them.
"""
