"""How kubeadm ends with an error."""

from __future__ import annotations

__all__ = ["KubeadmError"]


class KubeadmError(Exception):
    """kubeadm gives up; the text is its own, `code` its exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
