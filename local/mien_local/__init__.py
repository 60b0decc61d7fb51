"""The whole platform on one machine, and the `mien` command for people."""
