"""What runs inside the VMs, and what is read back from them."""
