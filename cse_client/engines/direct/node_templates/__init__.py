"""Making, showing, checking and deleting node templates with a tenant's rights."""
