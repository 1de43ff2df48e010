"""Words in, text out: the click commands of `vcd cse`."""
