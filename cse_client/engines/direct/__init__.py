"""The engine that needs nothing but a tenant's credentials."""
