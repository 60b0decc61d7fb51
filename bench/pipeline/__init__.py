"""The same job with the same durability on mien's streams and on what others offer, in one run."""
