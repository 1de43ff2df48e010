"""What a shell offers after `vcd` and `cse` when somebody presses Tab.

The script of a shell (`vcd cse completion SHELL` prints it) starts the program `cse-complete`,
which is `program`, at every Tab. It must be quick, so it only imports what reads the caches; what
has to be imported to fill them is in `tree` and `names`.
"""
