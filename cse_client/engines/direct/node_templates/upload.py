"""Uploading an OVA file as a template: straight from the archive, piece by piece.

VCD keeps a broken upload for an hour at one per cent (terraform-provider-vcd issue 1429). So the
first piece that fails ends the upload, and its half item is deleted; a repetition starts over. An
item that a killed run has left is recognized by its description.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cse_client import bounds, suggest
from cse_client.clock import Clock, polling
from cse_client.engines.direct.lock import ClusterLock, owner_of
from cse_client.errors import (
    Conflict,
    CseError,
    Interrupted,
    NotFound,
    Refused,
    SessionInvalid,
    TimedOut,
    VcdFault,
    WrongUsage,
)
from cse_client.model import Event, EventKind, Progress, RunOptions, Session, Template
from cse_client.model.templates import UploadedTemplate, UploadSpec
from cse_client.vcd import tasks
from cse_client.vcd.ova import OvaPackage, read_ova

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient
    from cse_client.vcd.tasks import Task
    from cse_client.vcd.templates import Catalog
    from cse_client.vcd.uploads import UnfinishedTemplate

__all__ = ["TemplateUpload"]

_READY = ("POWERED_OFF", "RESOLVED")
_MARK = "[template upload "
#: Seconds between two looks at the task, which keep the session alive, too: it ends after half an
#: hour without a request (terraform-provider-vcd issue 482), and a piece may not count as one.
_LOOK = 30.0
#: Seconds that VCD may take to read the descriptor.
_DESCRIPTOR = 300.0
#: Seconds in which somebody else's upload would have gone on by a piece.
_OTHERS = 60.0
_CLEAN_UP = 60.0
_MEGABYTE = 1024 * 1024
_TO_PROXY = "Or a proxy between here and VCD refuses uploads (HTTPS_PROXY, NO_PROXY)."


class TemplateUpload:
    """One run of `template upload`."""

    def __init__(
        self,
        vcd: VcdClient,
        spec: UploadSpec,
        options: RunOptions,
        session: Session,
        *,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._vcd = vcd
        self._spec = spec
        self._session = session
        self._by = f" by {owner_of(session)}]"
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._pieces = _PieceSize()
        self._looked = clock.monotonic()

    def run(self) -> UploadedTemplate:
        """Upload the file and return the template, once VCD has imported it.

        Raises:
            WrongUsage: the file is damaged, or does not describe exactly one virtual machine.
            Conflict: the name is taken.
            Refused: this user may not upload to the catalog.
        """
        path = Path(self._spec.path).expanduser()
        with self._step(f"Check {path.name}"):
            package = read_ova(path)
            package.verify(lambda done, total: self._show(f"Check {path.name}", done, total))
        catalog = self._vcd.templates.catalog(self._spec.catalog)
        lock = ClusterLock(
            self._vcd,
            self._session,
            name=self._spec.name,
            vdc_href=catalog.href,
            clock=self._clock,
            shown=f"template '{self._spec.name}'",
        )
        lock.acquire_local()
        try:
            return self._upload(catalog, package)
        finally:
            lock.release_local()

    def _upload(self, catalog: Catalog, package: OvaPackage) -> UploadedTemplate:
        self._make_room(catalog)
        href = self._begin(catalog, package.path.name)
        try:
            self._send(href, package)
            with self._step("Import the template"):
                self._await_import(href)
        except KeyboardInterrupt:
            left = self._discard(href)
            raise Interrupted(
                f"Interrupted; template '{self._spec.name}' is not uploaded.",
                hint=left
                or "Its unfinished item is deleted. Run the same command again to start over.",
            ) from None
        except CseError as error:
            left = self._discard(href)
            error.notes.append(left or "The unfinished item is deleted.")
            raise
        return UploadedTemplate(
            self._vcd.surroundings.find_item(catalog.name, self._spec.name), package.size
        )

    def _begin(self, catalog: Catalog, file: str) -> str:
        """Make the catalog item, and return the address of its template."""
        description = f"{file} {_MARK}{uuid4().hex[:8]}{self._by}"
        try:
            return self._vcd.uploads.begin(catalog, self._spec.name, description)
        except VcdFault as error:
            if error.outcome_unknown:
                error.notes.append("If there is an unfinished item, the same command deletes it.")
            raise

    # What is there already

    def _make_room(self, catalog: Catalog) -> None:
        """Delete the half item that an earlier run of this command has left.

        Raises:
            Conflict: the name is taken by something else, or somebody else is uploading it.
        """
        name = self._spec.name
        try:
            template = self._vcd.surroundings.find_item(catalog.name, name)
        except NotFound:
            return
        state = self._vcd.uploads.unfinished(template.href)
        if state.status in _READY or _MARK not in state.description:
            remove = suggest.cse("template delete", f"{catalog.name}/{name}")
            raise Conflict(
                f"Catalog '{catalog.name}' already has a template '{name}'.",
                hint=f"Choose another name, or delete it: {remove}",
            )
        if self._goes_on(template, state):
            raise Conflict(
                f"Template '{name}' is being uploaded to catalog '{catalog.name}' by another"
                " command.",
                hint="Wait for its end, or choose another name.",
            )
        text = f"Deleting the unfinished item '{name}' of an earlier upload."
        self._progress(Event(EventKind.NOTE, text))
        left = self._discard(template.href)
        if left:
            raise Conflict(f"The unfinished item '{name}' could not be deleted.", hint=left)

    def _goes_on(self, template: Template, state: UnfinishedTemplate) -> bool:
        """Whether somebody else's upload goes on; our own has ended, for we have the lock."""
        if state.description.endswith(self._by):
            return False
        end = self._clock.monotonic() + _OTHERS
        for pause in polling(self._clock):
            try:
                now = self._vcd.uploads.unfinished(template.href)
            except NotFound:
                return False
            if now.received != state.received:
                return True
            if now.task is None or now.task.ended or self._clock.monotonic() > end:
                return False
            self._clock.sleep(pause)
        raise AssertionError("unreachable")

    # Sending

    def _send(self, href: str, package: OvaPackage) -> None:
        text = f"Upload {package.path.name}"
        with self._step(text):
            state = self._vcd.uploads.unfinished(href)
            if len(state.files) != 1 or not state.files[0].href:
                raise VcdFault("VCD offered no address to upload the OVF descriptor to.")
            self._vcd.uploads.send_descriptor(state.files[0].href, package.descriptor)
            names = [one.name for one in package.files if one.size]
            addresses = self._addresses(href, names)
            done, rate = len(package.descriptor), _Rate(self._clock)
            try:
                with package.path.open("rb") as archive:
                    for one in package.files:
                        first = 0
                        for piece in one.pieces(archive, lambda: self._pieces.size):
                            self._look(href)
                            self._send_piece(addresses[one.name], one.name, piece, first, one.size)
                            first += len(piece)
                            done += len(piece)
                            self._show(text, done, package.size, rate.of(done, package.size))
            except OSError as error:
                raise WrongUsage(
                    f"The OVA file '{package.path}' cannot be read: {error.strerror or error}."
                ) from None

    def _send_piece(self, href: str, name: str, piece: bytes, first: int, total: int) -> None:
        began = self._clock.monotonic()
        try:
            self._vcd.uploads.send_piece(href, name, piece, first, total)
        except SessionInvalid:
            raise
        except Refused as error:
            error.hint = f"{error.hint} {_TO_PROXY}".strip()
            raise
        self._pieces.took(self._clock.monotonic() - began)

    def _addresses(self, href: str, names: list[str]) -> dict[str, str]:
        """Wait until VCD has read the descriptor; return where it expects each file."""
        end = self._clock.monotonic() + _DESCRIPTOR
        for pause in polling(self._clock):
            state = self._vcd.uploads.unfinished(href)
            found = {one.name: one.href for one in state.files}
            if all(found.get(name) for name in names):
                return found
            self._refuse_ended(state.task)
            if self._clock.monotonic() > end:
                raise TimedOut("VCD did not read the OVF descriptor within 5 minutes.")
            self._clock.sleep(pause)
        raise AssertionError("unreachable")

    def _look(self, href: str) -> None:
        """Look at the upload's task now and then; end where the time is up or VCD has failed."""
        now = self._clock.monotonic()
        if now > self._deadline:
            raise TimedOut(
                f"Template '{self._spec.name}' was not uploaded in time.",
                hint="Allow more time with --timeout.",
            )
        if now - self._looked > _LOOK:
            self._looked = now
            self._refuse_ended(self._vcd.uploads.unfinished(href).task)

    def _refuse_ended(self, task: Task | None) -> None:
        """Raise what VCD says of a task that has failed."""
        if task is not None and task.ended:
            tasks.wait(self._vcd, task, deadline=self._deadline)

    def _await_import(self, href: str) -> None:
        """Wait until VCD has made the template of the files.

        Raises:
            TaskFailed: it could not.
        """
        state = self._vcd.uploads.unfinished(href)
        if state.task is not None:
            tasks.wait(self._vcd, state.task, deadline=self._deadline)
            state = self._vcd.uploads.unfinished(href)
        if state.status not in _READY:
            raise VcdFault(f"VCD has not made the template: its state is {state.status}.")

    # Cleaning up

    def _discard(self, href: str) -> str:
        """Delete an unfinished item; return what is left to do, empty when it is gone."""
        deadline = self._clock.monotonic() + _CLEAN_UP
        again = "The unfinished item is still in the catalog. The same command deletes it first."
        try:
            state = self._vcd.uploads.unfinished(href)
            if state.task is not None and not state.task.ended:
                self._vcd.uploads.cancel(state.task)
            if not self._vcd.gone(href):
                name = self._spec.name
                half = Template(name, 0, self._spec.catalog, name, href)
                task = self._vcd.templates.delete(half)
                if task is not None:
                    tasks.wait(self._vcd, task, deadline=deadline)
        except NotFound:
            return ""
        except (CseError, KeyboardInterrupt) as error:
            return f"{again} ({error.clause})" if isinstance(error, CseError) else again
        return ""

    # Progress

    @contextlib.contextmanager
    def _step(self, text: str) -> Iterator[None]:
        self._progress(Event(EventKind.STARTED, text))
        try:
            yield
        except BaseException:
            self._progress(Event(EventKind.FAILED, text))
            raise
        self._progress(Event(EventKind.DONE, text))

    def _show(self, text: str, done: int, total: int, rest: str = "") -> None:
        share = done / total if total else 1.0
        amount = f"{done / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB"
        detail = f"{amount}, {rest}" if rest else amount
        self._progress(Event(EventKind.RUNNING, text, share=share, detail=detail))


class _PieceSize:
    """Bytes of the next piece: few requests on a fast line, none that takes minutes on a slow."""

    least, most = 256 * 1024, 16 * _MEGABYTE
    quick, slow = 2.0, 10.0

    def __init__(self) -> None:
        self.size = _MEGABYTE

    def took(self, seconds: float) -> None:
        """Note how long a piece has taken."""
        if seconds < self.quick:
            self.size = min(2 * self.size, self.most)
        elif seconds > self.slow:
            self.size = max(self.size // 2, self.least)


class _Rate:
    """How fast an upload is, and how long the rest will take."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()

    def of(self, done: int, total: int) -> str:
        """Return rate and time left, for example `12.3 MB/s, 25s left`."""
        passed = max(self._clock.monotonic() - self._began, 1e-6)
        rate = done / passed
        minutes, seconds = divmod(round((total - done) / rate), 60)
        left = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
        return f"{rate / _MEGABYTE:.1f} MB/s, {left} left"
