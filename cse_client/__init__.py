"""Kubernetes clusters on VMware Cloud Director, from the command line."""

__all__ = ["DESCRIPTION", "PRODUCT", "__version__"]

__version__ = "0.1.0"

#: What `vcd cse version` and `vcd cse system info` call it, in CSE's form.
PRODUCT = "CSE"
DESCRIPTION = "Kubernetes clusters on VMware Cloud Director (cse-client)"
