"""The protocol of CSE 3.x: clusters as VCD's defined entities."""
