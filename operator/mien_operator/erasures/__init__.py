"""ErasureRequest: a user of whom nothing is to be left, and the proof of it."""
