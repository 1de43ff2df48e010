"""What the commands mean."""
