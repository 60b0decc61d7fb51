"""A Kubernetes control plane on this machine: the real API server, controllers and scheduler; nodes are simulated.

What runs nowhere is containers: a pod that is Running here was scheduled, admitted and reported, and does nothing.
"""
