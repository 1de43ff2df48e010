"""Stand-ins for the commands of a Kubernetes node."""
