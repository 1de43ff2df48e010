"""The forms in which a command shows its result: `-o table|wide|json|yaml|name` and `--query`.

`shows` makes a command whose result has these forms, and the console prints it in the one that was
chosen. The keys of JSON, of YAML and of queries are those of the schemas in `cse_client/schemas`.
`vcd -j` prints CSE's own keys instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from cse_client.cli.text import json_text, printable
from cse_client.errors import CseError, WrongUsage

__all__ = [
    "FORMATS",
    "Output",
    "ShowingCommand",
    "ShowingOrWritingCommand",
    "columns_text",
    "explain_organization",
    "keyed",
    "plans",
    "shows",
]

FORMATS = ("table", "wide", "json", "yaml", "name")

#: Formats of other programs: whoever types one of these does not mean an organization.
_FOREIGN = ("csv", "html", "markdown", "plain", "raw", "text", "tsv", "txt", "xml", "yml")

#: Keys of records that name them.
_NAMING = ("name", "check", "pool", "cluster")

_FOUND = "cse_client.output"
#: Whether a value of -o was read as an organization.
_AS_ORG = "cse_client.output.organization"
#: How the messages of jmespath begin.
_PREFIX = "Invalid jmespath expression: "


@dataclass(frozen=True)
class Output:
    """What was chosen: one of `FORMATS` and a JMESPath expression; empty where nothing was."""

    format: str = ""
    query: str = ""

    @classmethod
    def of(cls, ctx: click.Context) -> Output:
        """Return what the options of this run's command chose."""
        return cls(**ctx.meta.get(_FOUND, {}))

    @property
    def is_default(self) -> bool:
        """Whether nothing was chosen."""
        return not self.format and not self.query

    @property
    def is_table(self) -> bool:
        """Whether the command's own tables are to be shown."""
        return self.format in ("", "table", "wide") and not self.query

    def text(self, record: Any, *, as_json: bool) -> str:
        """Return a record or a list of them in the chosen form; `as_json` is what `vcd -j` asks.

        Raises:
            WrongUsage: the expression cannot be applied to it.
        """
        value = _search(self.query, record) if self.query else record
        form = self.format or ("json" if as_json else "table")
        if form == "json":
            return f"{json_text(json.dumps(value, indent=2, ensure_ascii=False))}\n"
        if form == "yaml":
            return _yaml(value)
        if form == "name":
            names = map(_name, value if isinstance(value, list) else [value])
            # of one add-on, several versions are listed
            return "".join(dict.fromkeys(_lines([one]) for one in names))
        return _result_table(value)


# click made ParamType generic in one of its 8.x versions
class _Expression(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A JMESPath expression."""

    name = "expression"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the expression; complain as click's own types do."""
        import jmespath
        from jmespath.exceptions import JMESPathError

        try:
            if value:  # an empty one is refused as in every option
                jmespath.compile(value)
        except (JMESPathError, RecursionError) as error:
            self.fail(f"'{value}' is not a JMESPath expression: {_cause(error)}.", param, ctx)
        return str(value)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Keep the value of an option for the console."""
    if value:
        key = "format" if param.name == "output" else "query"
        ctx.meta.setdefault(_FOUND, {})[key] = value
    return value


class ShowingCommand(click.Command):
    """A command that lists or shows things, with -o/--output and --query.

    `schema` names the JSON Schema of its result in `cse_client/schemas`; with `many` the result is
    a list of these. CSE's clients use -o for the organization: a value that is not a format still
    is one, where the command has --org; or else a value of the option that `other` names. `note` is
    about it, for the help.
    """

    def __init__(
        self,
        *args: Any,
        schema: str = "",
        many: bool = False,
        other: str = "--org",
        note: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.schema = schema
        self.many = many
        self._other = other
        self._has_other = any(other in one.opts for one in self.params)
        org = next((one for one in self.params if one.name == "org"), None)
        if org is not None and "-o" in org.opts:
            org.opts.remove("-o")
            note += " Any other value of -o is an organization, as in CSE's client."
        self.params += [
            click.Option(
                ["-o", "--output"],
                type=click.Choice(FORMATS, case_sensitive=False),
                callback=_keep,
                expose_value=False,
                metavar="FORMAT" if other == "--org" else "FORMAT|FILE",
                help=f"Output format: {', '.join(FORMATS)}. Default: table.{note}",
            ),
            click.Option(
                ["--query"],
                type=_Expression(),
                callback=_keep,
                expose_value=False,
                metavar="EXPRESSION",
                help="Show only what this JMESPath expression selects, for example `name`.",
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `-o NAME` as the other option's unless it is a format."""
        if self._has_other:
            typed, args = args, self._sorted_out(args)
            if args.count("--org") > typed.count("--org"):
                ctx.meta[_AS_ORG] = True
        return super().parse_args(ctx, args)

    def _sorted_out(self, args: Sequence[str]) -> list[str]:
        found: list[str] = []
        rest = iter(args)
        for word in rest:
            if word == "--":
                return [*found, word, *rest]
            if word == "-o":
                value = next(rest, None)
                found += [word] if value is None else [self._option(value), value]
            elif word.startswith("-o") and len(word) > len("-o"):
                value = word[len("-o") :]
                found += [self._option(value), value]
            else:
                found.append(word)
        return found

    def _option(self, value: str) -> str:
        # an empty value is neither; the message about it names what was typed
        if value.lower() in FORMATS or not value.strip():
            return "--output"
        # `jsonpath=...`: no organization has such a name
        foreign = value.lower() in _FOREIGN or ("=" in value and self._other == "--org")
        return "--output" if foreign else self._other


class ShowingOrWritingCommand(ShowingCommand):
    """A command whose -o/--output is a format, or else a file to write, the option `other`."""

    def _sorted_out(self, args: Sequence[str]) -> list[str]:
        end = list(args).index("--") if "--" in args else len(args)
        words: list[str] = []
        for word in args[:end]:
            name, equals, value = word.partition("=")
            if name == "--output":
                words += ["-o", value] if equals else ["-o"]
            else:
                words.append(word)
        return super()._sorted_out([*words, *args[end:]])


def explain_organization(ctx: click.Context, error: CseError) -> None:
    """Add a note to an error about an organization whose name is nearly that of a format."""
    from difflib import get_close_matches

    org = ctx.params.get("org")
    if not (ctx.meta.get(_AS_ORG) and org and f"'{org}'" in error.message):
        return
    alike = [one for one in FORMATS if one[0] == org[0].lower()]
    if get_close_matches(org.lower(), alike):
        formats = ", ".join(FORMATS)
        error.notes.append(f"'{org}' is not an output format ({formats}), so -o was read as --org.")


def shows(
    name: str, schema: str, *, many: bool = False, **settings: Any
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command that lists or shows things; see `ShowingCommand`."""
    settings.setdefault("cls", ShowingCommand)
    return click.command(name, schema=schema, many=many, **settings)


class PlanningCommand(ShowingCommand):
    """A command that shows a plan with --dry-run, and only then has formats."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a format for what the command prints otherwise."""
        rest = super().parse_args(ctx, args)
        if not ctx.params["dry_run"] and not Output.of(ctx).is_default:
            raise click.UsageError("-o FORMAT and --query require --dry-run.", ctx)
        return rest


def plans(name: str, schema: str = "plan") -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command with --dry-run that changes things; see `PlanningCommand`."""
    return click.command(name, cls=PlanningCommand, schema=schema, note=" With --dry-run.")


def keyed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a table with keys that need no quotes, such as `k8s_version`."""
    return {re.sub(r"\W+", "_", label.strip()).lower(): value for label, value in row.items()}


#: Columns that a narrow terminal does without, the least important first.
_EXPENDABLE = (
    *("Description", "Catalog Item", "Provider", "Org", "K8s Runtime", "Owner", "Origin"),
    *("Catalog", "OS", "CPU", "Memory MB", "VDC", "Support Ends", "CNI"),
    *("K8s Version", "Version", "IP", "Kind", "Revision", "Default"),
)
#: Spaces between two columns, and behind a head.
_GAP = 2


def columns_text(rows: Iterable[Sequence[Any]], columns: Sequence[str] = ()) -> str:
    """Return rows as a table, without a head where there are no columns.

    A cell that is a list or tuple takes one line for each element.
    """
    from tabulate import tabulate

    cells = [[_cell(value) for value in row] for row in rows]
    # disable_numparse: '1.20' is a version, and would be printed as 1.2
    lines = tabulate(
        cells, columns, tablefmt="simple" if columns else "plain", disable_numparse=True
    ).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def fitting(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], width: int) -> Sequence[str]:
    """Return the columns that a table of `width` characters has room for; 0 is any width.

    Those in `_EXPENDABLE` are left out, in that order, until the others fit.
    """
    # tabulate pads heads (MIN_PADDING), not cells
    needed = {
        key: max(len(key) + _GAP, *(_width(row.get(key, "")) for row in rows)) for key in columns
    }
    shown = list(columns)
    for key in _EXPENDABLE:
        if not width or sum(needed[one] + _GAP for one in shown) - _GAP <= width:
            break
        if key in shown:
            shown.remove(key)
    return shown


def _width(value: Any) -> int:
    return max(map(len, _cell(value).splitlines()), default=0)


def _search(query: str, record: Any) -> Any:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.search(query, record)
    except (JMESPathError, RecursionError) as error:
        raise WrongUsage(
            f"The expression '{query}' cannot be applied to the result: {_cause(error)}.",
            hint="To see the whole result, use `-o json` without --query.",
        ) from None


def _cause(error: Exception) -> str:
    """Return the first line of an error: the others repeat the expression and point into it."""
    lines = str(error).strip().splitlines()
    if isinstance(error, RecursionError) or not lines:
        return "it is nested too deeply"
    return lines[0].replace(_PREFIX, "").rstrip(":. ")


def _name(one: Any) -> Any:
    """Return what names a record: a name of its own, or else the first of its values."""
    if not isinstance(one, Mapping):
        return one
    about = one.get("metadata")  # of a cluster's file
    for place in (one, about if isinstance(about, Mapping) else {}):
        for key in _NAMING:
            if place.get(key):
                return place[key]
    return next(iter(one.values()), "")


def _result_table(value: Any) -> str:
    """Return what a query found as a table, and single values as lines."""
    if isinstance(value, Mapping):
        return columns_text([[key, _shown(one)] for key, one in value.items()], ("Key", "Value"))
    if not isinstance(value, list):
        return _lines([value])
    if value and all(isinstance(one, Mapping) for one in value):
        columns = list(dict.fromkeys(key for one in value for key in one))
        return columns_text(([_shown(one.get(key)) for key in columns] for one in value), columns)
    if value and all(isinstance(one, list) for one in value):
        return columns_text([_shown(cell) for cell in one] for one in value)
    return _lines(value)


def _lines(values: Iterable[Any]) -> str:
    return "".join(f"{printable(_shown(one))}\n" for one in values if one is not None)


def _shown(value: Any) -> Any:
    """Return a value for a cell or a line: text as it is, everything else as JSON writes it."""
    if isinstance(value, list) and not any(isinstance(one, (list, Mapping)) for one in value):
        return [_shown(one) for one in value]
    if value is None or isinstance(value, str):
        return value or ""
    return json_text(json.dumps(value, ensure_ascii=False))


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(printable(element) for element in value)
    return printable(value)


def _yaml(value: Any) -> str:
    """Return a value as YAML that readers of YAML 1.1 and 1.2 understand alike."""
    from cse_client.kube.kubeconfig.goyaml import node, serialize

    root = node(value)
    text = serialize(root)
    if not all(one.isprintable() or one == "\n" for one in text):
        text = serialize(root, ascii_only=True)
    # which ends a document of one plain word
    return text[: -len("...\n")] if text.endswith("\n...\n") else text
