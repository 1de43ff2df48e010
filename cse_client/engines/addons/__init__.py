"""Load balancer and ingress for a cluster of either engine: install, check, remove."""
