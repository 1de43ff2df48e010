"""The CSE server's clusters that are defined entities of VCD: CSE 3.0 and 3.1."""
