"""VMware Cloud Director, behind model types: the only package that knows pyvcloud and lxml."""
