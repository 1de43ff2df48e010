"""Upgrading the only control plane of a cluster where it is, with a way back."""
