"""Talking to the finished cluster."""
