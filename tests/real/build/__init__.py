"""The programs of a real cluster: built from their published Go modules, kept in a cache."""
