"""From the stored profile to an engine, and from any error to a message and an exit code.

Whatever no command has foreseen is caught here. Exit codes are described in docs/exit-codes.md.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click

from cse_client import bounds, looked_at, sent, suggest
from cse_client.cli import values
from cse_client.cli.changes import changed_cluster
from cse_client.cli.console import Console, OutputClosed
from cse_client.cli.options import TYPED
from cse_client.cli.output import explain_organization
from cse_client.cli.profile import chosen_before, engine_option, read_session, stored_profile
from cse_client.cli.signals import owns_sigint, signals_interrupt
from cse_client.errors import CseError, Interrupted, InterruptedBefore, WrongUsage
from cse_client.model import Session

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.model import ClusterRef, Progress, RunOptions

__all__ = ["PIPE_CLOSED", "Asking", "Question", "Run", "command"]

C = TypeVar("C")
T = TypeVar("T")

#: Seconds for a command without --timeout.
_LONGEST = 3600.0


#: What a shell shows for a program that SIGPIPE ended; not an error of ours.
PIPE_CLOSED = 141


@dataclass(frozen=True)
class Question:
    """What to confirm before something is destroyed or stopped, once it is known what that is.

    `lines` say what will be done, and are shown before; `warnings` are among them, and are not
    shown again. `declined` is what a no means.
    """

    text: str
    lines: Sequence[str] = ()
    declined: str = "Nothing was changed."
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Asking(Generic[C]):
    """How a change is confirmed: `look` finds out what would happen, and changes nothing.

    It raises whatever the change would refuse, and returns None where there is nothing to ask.
    `action` is the subject of a sentence ("Deleting demo").
    """

    action: str
    look: Callable[[C, Progress], Question | None]


class Run:
    """One run of one command: its console, its options of `vcd`, and its engine when asked for."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx
        self.console = Console.of(ctx)
        self.wait = not ctx.find_root().params.get("no_wait")
        #: Hint for an operation that Ctrl-C or a signal stops, without a CSE server.
        self.when_interrupted = ""
        self._has_server = False
        self._engine_word = engine_option(ctx)
        sent.begin()
        looked_at.forget()
        suggest.aim(_target(ctx, self._engine_word))

    def aim_at(self, ref: ClusterRef) -> None:
        """Let this run be about a cluster that a file names: suggestions and records of failures.

        A VDC or an organization that the file leaves out is that of the command line.
        """
        given = {"cluster": ref.name, "vdc": ref.vdc, "org": ref.org}
        self._ctx.params.update({name: value for name, value in given.items() if value})
        suggest.aim(_target(self._ctx, self._engine_word))

    @property
    def interruption_hint(self) -> str:
        """What to do about an operation that Ctrl-C or a signal stopped; empty if there is none."""
        if self.when_interrupted and self._has_server:
            return f"The CSE server may still complete it. To check: {suggest.cse('cluster list')}"
        return self.when_interrupted

    def engine(self, *, needs_server: bool = False) -> Engine:
        """Open the engine for the stored session: the CSE server's where one answers.

        `needs_server`: the direct engine would refuse, so no hint suggests it.

        `--engine` of `vcd cse`, the variable CSE_ENGINE or the profile's key `cse_engine` choose
        another way.

        Raises:
            SessionInvalid: nobody is logged in.
            VcdFault: a server is registered but does not answer.
        """
        from cse_client.engines.choice import choose_engine

        if needs_server:
            suggest.keep_server()
        session, word = self._session()
        engine = choose_engine(session, word)
        self._has_server = engine.has_server
        return engine

    def engine_of(self, reference: str, *, needs_server: bool = False) -> Engine:
        """Open the engine for a cluster's name or id. `needs_server`: see `engine`.

        Raises:
            WrongUsage: an id was given, and there is no CSE server 3.x that keeps entities.
        """
        from cse_client.cli.target import ENTITY_PREFIX
        from cse_client.engines.servers import Entities

        by_id = reference.startswith(ENTITY_PREFIX)
        engine = self.engine(needs_server=needs_server or by_id)
        if by_id and not isinstance(engine, Entities):
            raise WrongUsage(
                "--id requires a CSE server 3, and there is no such server.",
                hint="Specify the cluster's name instead.",
            )
        return engine

    def failed(self, error: CseError) -> None:
        """Print an error, and keep it for `cluster diagnose` if it is about a cluster."""
        explain_organization(self._ctx, error)
        self.console.error(error)
        from cse_client.cli.failures import record

        record(self._ctx, error)

    def succeeded(self) -> None:
        """Let `cluster diagnose` forget the failure of an earlier command on the cluster."""
        if changed_cluster(self._ctx):
            from cse_client.cli.failures import forget

            forget(self._ctx)

    def scope(self, *, vdc: str, org: str) -> str:
        """Return what a list covers, such as `organization acme`, to end a sentence."""
        organization = f"organization {org or read_session()[0].org}"
        return f"VDC {vdc} of {organization}" if vdc else organization

    def need_terminal(self, action: str) -> None:
        """Refuse, before anything is asked of VCD, what nobody could confirm.

        Raises:
            WrongUsage: there is no terminal to ask on.
        """
        if not self.console.can_ask():
            raise WrongUsage(
                f"{action} must be confirmed, and there is no terminal; use --yes.",
                hint=suggest.again(yes=True),
            )

    def confirm(self, action: str, look: Callable[[Progress], Question | None]) -> None:
        """Look at what is to be destroyed or stopped, and ask; see `Asking`.

        What `look` has found is what may be changed afterwards, see `looked_at`.

        Raises:
            CseError: the answer is no.
            WrongUsage: there is no terminal to ask on.
            Exception: whatever `look` raises.
        """
        self.need_terminal(action)
        looked_at.begin()
        with self.console.progress() as progress:
            question = look(progress)
        if question is None:
            return
        for line in question.lines:
            self.console.hint(line)
        self.console.has_warned(question.warnings)
        if not self.console.confirm(question.text):
            raise CseError(question.declined)

    def change(
        self,
        name: str,
        command: str,
        capability: type[C],
        work: Callable[[C, Progress], T],
        *,
        asking: Asking[C] | None = None,
        reference: str = "",
    ) -> T:
        """Change a cluster in one operation that the same command resumes, and return its result.

        `name` is the cluster's; `asking` is how it is confirmed, None where it is not. For
        `command`, `capability` and `reference` see `require`. `work` gets the engine and where to
        report progress.

        Raises:
            CseError, WrongUsage: see `check_existing_name`, `confirm` and `require`.
            Exception: whatever `work` raises.
        """
        from cse_client.cli.validation import check_existing_name

        check_existing_name(name)
        if asking is not None:
            self.need_terminal(asking.action)
        engine = self.require(capability, command, reference=reference)
        if asking is not None:
            look = asking.look
            self.confirm(asking.action, lambda progress: look(engine, progress))
        self.when_interrupted = suggest.RESUME
        with self.console.progress() as progress:
            return work(engine, progress)

    def options(
        self,
        timeout: float,
        *,
        rollback: bool = True,
        break_lock: bool = False,
        force: bool = False,
    ) -> RunOptions:
        """Return how the operation is to be carried out; `timeout` is in seconds."""
        from cse_client.model import RunOptions

        return RunOptions(
            timeout=timeout,
            rollback=rollback,
            wait=self.wait,
            break_lock=break_lock,
            force=force,
        )

    def require(self, capability: type[C], command: str, *, reference: str = "") -> C:
        """Open an engine with a capability, which is a protocol of `engines.base`.

        `command` is as it is typed, such as `cluster seal`; `reference` is a cluster's name or id.

        Raises:
            SessionInvalid: nobody is logged in.
            WrongUsage: the engine in use lacks it.
        """
        from cse_client.cli.needs import lacking, needs_server, never_through_server
        from cse_client.engines.choice import choose_engine

        engine: Engine
        if never_through_server(capability):
            session, word = self._session()
            if word == "server":
                raise lacking(command, capability, None)
            engine = choose_engine(session, "direct")
        else:
            engine = self.engine_of(reference, needs_server=needs_server(capability))
        if not isinstance(engine, capability):
            raise lacking(command, capability, engine)
        return engine

    def _session(self) -> tuple[Session, str]:
        """Return the stored session and which engine is wanted."""
        profile = stored_profile()
        session, warn = read_session(profile)
        if not session.verify:
            self._allow_unverified(warn)
        return session, self._engine_word or chosen_before(profile)

    def _allow_unverified(self, warn: bool) -> None:
        """Say once a run, not once a request, that the server is not verified."""
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if warn:
            self.console.warning(
                "VCD's certificate is not verified. Log in without -i, or with -w to hide"
                " this warning."
            )


def _target(ctx: click.Context, engine: str) -> suggest.Target:
    """Return what was typed of where this run acts."""
    root = ctx.find_root().params
    flags = {"json_output": "-j", "no_wait": "-n"}

    def typed(option: str) -> str:
        return str(ctx.params.get(option) or "")

    cluster = typed("cluster") or typed("name")

    def context() -> str:
        from cse_client.kube.kubeconfig.document import context_name

        if not cluster:
            return ""
        session, _warn = read_session()
        return context_name(cluster, typed("org") or session.org, typed("vdc") or session.vdc)

    return suggest.Target(
        cluster=cluster or typed("cluster_id"),
        vdc=typed("vdc"),
        org=typed("org"),
        engine=engine,
        kubeconfig=typed("kubeconfig"),
        root=tuple(flag for name, flag in flags.items() if root.get(name)),
        typed=tuple(ctx.meta.get(TYPED, ())),
        context=context,
    )


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function of a `Run` a command's body: it gets the run, and its errors an exit code."""

    @click.pass_context
    @functools.wraps(function)
    def guarded(ctx: click.Context, *args: Any, **options: Any) -> None:
        run = Run(ctx)
        seconds = options.get("timeout")

        def work() -> None:
            values.check(ctx)
            function(run, *args, **options)

        owned = owns_sigint()
        with bounds.command_time(_LONGEST if seconds is None else seconds):
            code = _carry_out(run, work)
        if owned:
            # all is done and said, and what Python does at its end may take a while
            signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(code))
        if code:
            sys.exit(code)

    return guarded


def _carry_out(run: Run, work: Callable[[], None]) -> int:
    """Do the work; return the exit code."""
    try:
        with signals_interrupt():
            work()
    except CseError as error:
        if isinstance(error, Interrupted) and not sent.changes():
            error = _interrupted_before()
        run.failed(error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        stopped = Interrupted("Interrupted.", hint=run.interruption_hint)
        if isinstance(stop, InterruptedBefore) or not sent.changes():
            stopped = _interrupted_before()
        run.failed(stopped)
        return stopped.exit_code
    except OutputClosed:
        return PIPE_CLOSED
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except Exception as error:  # noqa: BLE001 - the one broad catch: a bug must not be a traceback
        bug = _bug(error)
        run.console.error(bug)
        return bug.exit_code
    run.succeeded()
    return 0


def _interrupted_before() -> Interrupted:
    """Return the error for what was only looked at, or asked, when it was interrupted."""
    return Interrupted("Interrupted; nothing was changed.")


def _bug(error: Exception) -> CseError:
    """Write an unexpected exception to our log and return one line about it."""
    from cse_client.cli.log import log_path, open_log
    from cse_client.cli.redaction import redact

    open_log().error("unexpected", exc_info=error)
    kind = type(error).__name__
    path = log_path()
    if path.exists():
        return CseError(
            f"This is a bug in cse-client ({kind}); details are in {path}.",
            hint="Please report it, with this file. Keys, tokens and passwords are removed"
            " from it.",
        )
    detail = redact(" ".join(str(error).split()))
    return CseError(f"This is a bug in cse-client ({kind}: {detail}); its log cannot be written.")
