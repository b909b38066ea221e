"""Imbalance settlement periods: how many a day has, when each begins."""
