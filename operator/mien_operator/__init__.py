"""The operator: compares what is wanted with what is, and says in the resources what came of it."""
