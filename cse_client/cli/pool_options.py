"""Options of the commands for worker pools: what workers are made of, and labels and taints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cse_client.cli.node_options import NEW_NODE_OPTIONS, TEMPLATE_OPTIONS
from cse_client.cli.options import (
    cpu_option,
    disk_size_option,
    memory_option,
    placement_policy_option,
    sizing_policy_option,
    storage_profile_option,
    with_options,
)

if TYPE_CHECKING:
    from cse_client.errors import CseError
    from cse_client.model.pools import Pool, Taint

__all__ = [
    "MarkOptions",
    "PoolOptions",
    "changed_marks",
    "mark_options",
    "new_pool",
    "pool_options",
]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class PoolOptions:
    """The options of `pool_options` as they were typed; empty or None: as the cluster has it."""

    cpu: int | None
    memory: int | None
    template: str
    template_revision: int | None
    storage_profile: str
    disk_size: int | None
    sizing_policy: str
    placement_policy: str
    accept_eulas: bool
    disable_rollback: bool
    keep_healthy: bool


@dataclass(frozen=True)
class MarkOptions:
    """The options of `mark_options` as they were typed."""

    labels: tuple[str, ...]
    taints: tuple[str, ...]


def pool_options(function: F) -> F:
    """Add what the workers of a pool are made of."""
    options = [
        *TEMPLATE_OPTIONS,
        cpu_option("Virtual CPUs per node."),
        memory_option("Memory per node."),
        disk_size_option("Disk per node, for example 40G."),
        sizing_policy_option("VM sizing policy."),
        placement_policy_option("VM placement policy."),
        storage_profile_option("Storage profile."),
        *NEW_NODE_OPTIONS,
    ]
    return with_options(function, options)


def mark_options(function: F) -> F:
    """Add the labels and taints of a pool's nodes."""
    options = [
        click.option(
            "--label",
            "labels",
            multiple=True,
            metavar="KEY=VALUE",
            help="Label of the pool's nodes. Can be repeated.",
        ),
        click.option(
            "--taint",
            "taints",
            multiple=True,
            metavar="KEY[=VALUE]:EFFECT",
            help="Taint of the pool's nodes; NoSchedule, PreferNoSchedule or NoExecute. Can be"
            " repeated.",
        ),
    ]
    return with_options(function, options)


def new_pool(
    name: str, nodes: int, made_of: PoolOptions, marks: MarkOptions, *, timeout: float
) -> Pool:
    """Return the pool that was typed.

    Raises:
        CseError: every problem with the options, at once.
    """
    from cse_client.cli.validation import check_sizes, check_workers, node_source, raise_all
    from cse_client.errors import WrongUsage
    from cse_client.model.pools import Pool, pool_problems

    problems: list[CseError] = check_workers(nodes)
    problems += check_sizes(cpus=made_of.cpu, memory_mb=made_of.memory, timeout=timeout)
    template, revision, _key, wrong = node_source(made_of.template, made_of.template_revision, None)
    problems += wrong
    problems += _given_twice(marks)
    labels = dict(_label(one, problems) for one in marks.labels)
    taints = [_taint(one, problems) for one in marks.taints]
    pool = Pool(
        name,
        nodes,
        template=template,
        template_revision=revision,
        cpus=made_of.cpu,
        memory_mb=made_of.memory,
        disk_mb=made_of.disk_size,
        sizing_policy=made_of.sizing_policy,
        placement_policy=made_of.placement_policy,
        storage_profile=made_of.storage_profile,
        labels=labels,
        taints=tuple(taints),
    )
    typed_wrong = ("has the form", "is given twice")
    if not any(text in one.message for one in problems for text in typed_wrong):
        problems += [WrongUsage(_sentence(text)) for text in pool_problems([pool])]
    raise_all(problems)
    return pool


def changed_marks(cluster: str, name: str, pools: Sequence[Pool], marks: MarkOptions) -> Pool:
    """Return a pool with the labels and taints that were typed; those with a dash at the end go.

    Raises:
        NotFound: there is no such pool.
        CseError: every problem with the options, at once.
    """
    from cse_client.cli.validation import raise_all
    from cse_client.engines.lookup import unknown_pool
    from cse_client.errors import WrongUsage
    from cse_client.model.pools import pool_problems

    pool = next((one for one in pools if one.name == name), None)
    if pool is None:
        raise unknown_pool(cluster, name, (one.name for one in pools))
    problems = _given_twice(marks)
    labels = dict(pool.labels)
    for text in marks.labels:
        if text.endswith("-") and "=" not in text:
            labels.pop(text[:-1], None)
        else:
            key, value = _label(text, problems)
            labels[key] = value
    taints = {(one.key, one.effect): one for one in pool.taints}
    for text in marks.taints:
        if text.endswith("-"):
            key, _colon, effect = text[:-1].partition(":")
            gone = [one for one in taints if one[0] == key and effect in ("", one[1])]
            for one in gone:
                del taints[one]
        else:
            taint = _taint(text, problems)
            taints[taint.key, taint.effect] = taint
    raise_all(problems)
    changed = replace(_bare(pool), labels=labels, taints=tuple(taints.values()))
    raise_all(WrongUsage(_sentence(text)) for text in pool_problems([changed]))
    return changed


def _given_twice(marks: MarkOptions) -> list[CseError]:
    """Return what is wrong with labels and taints of which two values were given.

    That includes one that is to be set and removed, as with kubectl. A taint without an effect,
    which is removed, stands for all taints of its key.
    """
    from cse_client.errors import WrongUsage

    problems: list[CseError] = []
    labels: dict[str, str] = {}
    for text in marks.labels:
        key = text.partition("=")[0]
        key = key if "=" in text else key.rstrip("-")
        if labels.setdefault(key, text) != text:
            both = f"--label {labels[key]} and --label {text}"
            problems.append(WrongUsage(f"The label {key} is given twice: {both}."))
    taints: list[tuple[str, str, str]] = []
    for text in dict.fromkeys(marks.taints):
        rest, _colon, effect = text.removesuffix("-").partition(":")
        key = rest.partition("=")[0]
        for other_key, other_effect, other in taints:
            if key == other_key and (effect == other_effect or "" in (effect, other_effect)):
                both = f"--taint {other} and --taint {text}"
                problems.append(WrongUsage(f"The taint {key} is given twice: {both}."))
        taints.append((key, effect, text))
    return problems


def _bare(pool: Pool) -> Pool:
    """Return a pool as such, without what is known of its workers."""
    from dataclasses import fields

    from cse_client.model.pools import Pool

    return Pool(**{one.name: getattr(pool, one.name) for one in fields(Pool)})


def _label(text: str, problems: list[CseError]) -> tuple[str, str]:
    key, equal, value = text.partition("=")
    if not equal:
        problems.append(_form("label", text, "KEY=VALUE", "--label tier=front"))
    return key, value


def _taint(text: str, problems: list[CseError]) -> Taint:
    from cse_client.model.pools import Taint

    rest, colon, effect = text.rpartition(":")
    if not colon:
        example = "--taint gpu=yes:NoSchedule"
        problems.append(_form("taint", text, "KEY=VALUE:EFFECT or KEY:EFFECT", example))
    key, _equal, value = rest.partition("=")
    return Taint(key, effect, value)


def _form(what: str, text: str, form: str, example: str) -> CseError:
    from cse_client.errors import WrongUsage

    return WrongUsage(
        f"'{text}' is not a {what}, which has the form {form}.", hint=f"For example: {example}"
    )


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."
