"""Kubeconfigs: making them, reading those of others, and keeping the user's own file."""
