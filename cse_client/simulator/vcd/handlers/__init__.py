"""Answering requests: each module registers its routes with `routes.route`."""
