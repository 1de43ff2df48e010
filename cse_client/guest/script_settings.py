"""What the settings of a cluster put into the scripts of its nodes."""

from __future__ import annotations

from cse_client.guest.script_format import put_file, script_source
from cse_client.model.settings import ClusterSettings

__all__ = ["settings_data", "settings_sources"]


def settings_data(settings: ClusterSettings) -> dict[str, str]:
    """Return what scripts/settings.sh works with; nothing where it has nothing to do."""
    if not settings.for_nodes():
        return {}
    return {
        "SETTINGS": "1",
        "HTTP_P": settings.http_proxy,
        "HTTPS_P": settings.https_proxy,
        "NO_P": settings.no_proxy,
        "CA": "1" if settings.registry_ca else "",
        "MIRRORS": settings.registry_mirrors,
        "REPO": settings.image_repository,
        "NTP": settings.ntp,
        "DNS": settings.dns,
    }


def settings_sources(settings: ClusterSettings) -> list[str]:
    """Return the parts of a script that carry the settings out."""
    parts = {
        "proxy": settings.has_proxy,
        "registries": settings.registry_mirrors or settings.image_repository,
        "servers": settings.dns or settings.ntp,
        "settings": True,
    }
    sources = [script_source(name) for name, needed in parts.items() if needed]
    return [_put_ca(settings.registry_ca), *sources] if settings.registry_ca else sources


def _put_ca(pem: str) -> str:
    """Return a function that writes the CA of the registries."""
    path = "/usr/local/share/ca-certificates/cse-registry.crt"
    return f"put_ca() {{\n{put_file(path, '644', pem)}\n}}"
