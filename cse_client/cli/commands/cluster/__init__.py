"""The commands of `vcd cse cluster`."""
