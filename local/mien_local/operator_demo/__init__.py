"""`mien operator-demo`: the operator at work on this machine, as an SRE reads it with kubectl."""
