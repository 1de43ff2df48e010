"""What the direct engine does to a cluster: one module for each kind of change."""
