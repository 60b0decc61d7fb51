"""What follows from a log of periods: the day of the cycle (`days`), and when the next period may come (`prediction`).

`log` and `days` are plain Python. `prediction` brings numpy and scipy, which take a while to import: import it where
it is called, not where a service starts.
"""
