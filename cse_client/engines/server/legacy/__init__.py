"""The protocol of CSE 2.x, which CSE 3.x speaks in its legacy mode."""
