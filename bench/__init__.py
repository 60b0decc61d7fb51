"""Benchmarks: each prints one JSON line a figure, with the limit that it is held against and the ratio to it."""
