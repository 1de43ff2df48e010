"""What is built on a finished cluster, whichever engine made it."""
