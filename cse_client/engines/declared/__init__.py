"""Clusters that a file declares: reading and writing such files, and applying them."""
