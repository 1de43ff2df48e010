"""Reading a node's bootstrap report; the format itself is in `cse_client.reports`.

It lies there because the Kubernetes side reads the same reports and must not import this package.
"""

from __future__ import annotations

from cse_client.reports import parse_configmap, parse_guestinfo

__all__ = ["parse_configmap", "parse_guestinfo"]
