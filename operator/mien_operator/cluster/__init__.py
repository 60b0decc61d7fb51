"""The Kubernetes API as the operator uses it beside kopf's watches: leases, events, status and finalizers."""
