"""The table of addresses: method and path pattern to handler."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd import bodies, supported
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.documents import common
from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.markup import serialize
from cse_client.simulator.vcd.people import Session, User
from cse_client.simulator.vcd.query import parameters
from cse_client.simulator.vcd.tasks import Task

__all__ = ["Call", "Handler", "find", "route"]

_ID = r"[0-9a-fA-F-]{36}"


_ROUTES: list[_Route] = []
_BY_HEAD: dict[str, list[_Route]] = {}


def _nothing_yet(_scope: etree._Element) -> None:
    """Stand for the current document of what is only being made."""


@dataclass(frozen=True)
class Call:
    """A request whose sender and version are known. `ids` are the identifiers of its path."""

    cloud: Cloud
    request: Request
    session: Session
    version: tuple[int, int]
    version_text: str
    ids: dict[str, str]

    @property
    def user(self) -> User:
        """Who asks."""
        return self.session.user

    @cached_property
    def view(self) -> View:
        """How answers are rendered for this caller."""
        return View(self.cloud, self.user, f"https://{self.request.host}", self.version)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The query string."""
        return parameters(self.request.query)

    def flag(self, name: str) -> bool:
        """Read a boolean of the query string; any case, as pyvcloud sends `True`."""
        return self.parameters.get(name, "").lower() == "true"

    def body(self, *kinds: str, current: supported.Current = _nothing_yet) -> etree._Element:
        """Return the body, checked against the order of its elements and for what is supported.

        `kinds` are the documents that are accepted; another content type is 415, another root
        or a wrong order 400. Whatever no handler carries out is 501, unless it is what `current`
        shows anyway.
        """
        root = bodies.read(self.request, kinds)
        supported.check(root, self.request.method, self.request.path, current)
        return root

    def xml(self, root: etree._Element, kind: str, status: int = 200) -> Response:
        """Answer with a document of a vCloud media type; the header's type is in lower case."""
        content_type = f"{media(kind).lower()};version={self.version_text}"
        return Response(status, serialize(root), content_type)

    def created(self, root: etree._Element, kind: str, href: str) -> Response:
        """Answer 201 with the new entity, which `Location` names."""
        response = self.xml(root, kind, 201)
        response.headers["Location"] = href
        return response

    def accepted(self, task: Task) -> Response:
        """Answer 202 with a task, which `Location` names."""
        response = self.xml(common.task(self.view, task), "task", 202)
        response.headers["Location"] = f"{self.view.api}/task/{task.id}"
        return response


Handler = Callable[[Call], Response]


@dataclass(frozen=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    handler: Handler


def route(method: str, *paths: str) -> Callable[[Handler], Handler]:
    """Register a handler. In a path `{name}` stands for an identifier, `{name*}` for anything."""

    def register(handler: Handler) -> Handler:
        for path in paths:
            pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", path)
            pattern = re.sub(r"\{(\w+)\}", rf"(?P<\1>{_ID})", pattern)
            one = _Route(method, re.compile(pattern + "/?"), handler)
            _ROUTES.append(one)
            _BY_HEAD.setdefault(_head(path), []).append(one)
        return handler

    return register


def _head(path: str) -> str:
    """Return the part of a path that is looked up first: its second segment."""
    parts = path.split("/", 3)
    return parts[2].split("-")[0] if len(parts) > 2 else ""  # noqa: PLR2004


def find(method: str, path: str) -> tuple[Handler, dict[str, str]] | None:
    """Find the handler of a request; None when the simulator has none.

    A path that is known with other methods only is not an exception: whether VCD allows the method
    there is not known here, so that a 405 would be a guess.
    """
    for one in _BY_HEAD.get(_head(path), ()):
        match = one.pattern.fullmatch(path)
        if match is None:
            continue
        if one.method == method:
            return one.handler, match.groupdict()
    return None
