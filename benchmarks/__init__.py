"""How much more this CRO costs than the work that cannot be avoided, measured: `make bench`.

Each figure is a ratio of medians out of one run, against a floor or a peer that is measured in between, so that it says
the same on a slow machine as on a fast one. `docs/performance.md` has the results and explains them.
"""
