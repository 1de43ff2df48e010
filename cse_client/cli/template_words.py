"""What is typed for templates: names, versions, where packages and CNI manifests come from."""

from __future__ import annotations

import re
from pathlib import Path

from cse_client import suggest
from cse_client.errors import CseError, WrongUsage
from cse_client.inputs import read_file
from cse_client.model.cni import KNOWN, Cni, name_in
from cse_client.model.endpoints import is_endpoint
from cse_client.model.templates import LONGEST_SOURCE

__all__ = [
    "check_kubernetes",
    "check_package_source",
    "check_template_name",
    "read_cni",
    "split_item",
]

#: The oldest release at pkgs.k8s.io, and the first without dockershim.
OLDEST_MINOR = 24

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_VERSION = re.compile(r"v?(1\.(\d{1,3})(?:\.\d{1,3})?)", re.ASCII)
_URL = re.compile(r"https?://([^/?#@\s]+)(/[A-Za-z0-9._~:/%+-]*)?", re.ASCII)
_LONGEST_MANIFEST = 1024 * 1024


def check_template_name(name: str) -> list[CseError]:
    """Check the name of a new template: it becomes a catalog item and part of a vApp's name."""
    if _NAME.fullmatch(name):
        return []
    return [
        WrongUsage(
            f"The template name '{name}' is not allowed.",
            hint="A name has 1 to 100 letters, digits, dots, dashes and underscores, and begins"
            " with a letter or a digit.",
        )
    ]


def split_item(text: str, option: str) -> tuple[str, str]:
    """Return catalog and item of CATALOG/ITEM.

    Raises:
        WrongUsage: it is something else.
    """
    catalog, _slash, item = text.partition("/")
    if not (catalog and item):
        raise WrongUsage(
            f"'{text}' is not a valid value of {option}: specify CATALOG/ITEM.",
            hint=f"`{suggest.vcd('catalog list')}` lists the catalogs.",
        )
    return catalog, item


def check_kubernetes(text: str) -> tuple[str, list[CseError]]:
    """Return a version of Kubernetes, X.Y or X.Y.Z, and what is wrong with it."""
    if not text:
        return "", [
            WrongUsage("Missing option '--kubernetes'.", hint="For example: --kubernetes 1.37")
        ]
    found = _VERSION.fullmatch(text)
    if found is None:
        return "", [
            WrongUsage(
                f"'{text}' is not a version of Kubernetes.",
                hint="Specify X.Y for the newest patch release, or X.Y.Z: for example 1.37.",
            )
        ]
    if int(found[2]) < OLDEST_MINOR:
        return "", [
            WrongUsage(
                f"Kubernetes {found[1]} is too old: templates are built with 1.{OLDEST_MINOR} or"
                " newer.",
                hint="The package source of the Kubernetes project has no older releases.",
            )
        ]
    return found[1], []


def check_package_source(url: str) -> list[CseError]:
    """Check the URL of a package source."""
    if len(url) > LONGEST_SOURCE:
        return [
            WrongUsage(
                f"The value of --package-source has {len(url)} characters; {LONGEST_SOURCE} are"
                " possible."
            )
        ]
    found = _URL.fullmatch(url)
    if found and is_endpoint(found[1]):
        return []
    return [
        WrongUsage(
            f"'{url}' is not a valid value of --package-source: it is not a URL of the form"
            " https://HOST/PATH.",
            hint="For example: --package-source https://mirror.example.com/kubernetes",
        )
    ]


def read_cni(text: str) -> Cni:
    """Return the CNI plugin that is meant: a known name, the URL or the file of a manifest.

    Raises:
        WrongUsage: it is none of them.
    """
    if text in KNOWN:
        return KNOWN[text]
    if "://" in text:
        if not _URL.fullmatch(text):
            raise WrongUsage(
                f"'{text}' is not a valid value of --cni: it is not a URL of the form"
                " https://HOST/PATH."
            )
        return Cni(name_in(f"image: {text}"), url=text)
    names = ", ".join(KNOWN)
    hint = f"Specify {names}, or a file or a URL with a manifest."
    try:
        content = read_file(Path(text).expanduser(), _LONGEST_MANIFEST).decode("utf-8")
    except FileNotFoundError:
        raise WrongUsage(f"'{text}' is neither a known CNI plugin nor a file.", hint=hint) from None
    except OSError as error:
        raise WrongUsage(
            f"The CNI manifest '{text}' cannot be read: {error.strerror or error}.", hint=hint
        ) from None
    except UnicodeDecodeError:
        raise WrongUsage(f"The CNI manifest '{text}' is not text.", hint=hint) from None
    if not re.search(r"^kind:", content, re.M):
        raise WrongUsage(f"The file '{text}' is not a Kubernetes manifest.", hint=hint)
    if (
        re.search(r"^CSE_FILE$", content, re.M)
        or not content.replace("\n", "").replace("\t", "").isprintable()
    ):
        raise WrongUsage(
            f"The CNI manifest '{text}' contains characters that cannot be used in a script.",
            hint="Put it on a web server that the VM can reach, and specify its URL.",
        )
    return Cni(name_in(content), text=content)
