"""Formats and queries: which of them a command has, and what they make of a value."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Sequence
from datetime import timezone
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cse_client import model
from cse_client.cli.options import org_option
from cse_client.cli.output import Output, columns_text, fitting, keyed, shows
from cse_client.cli.records import (
    cluster_record,
    grant_record,
    ovdc_record,
    share_record,
    summary_record,
    system_record,
    template_details_record,
    template_record,
)
from cse_client.cli.tables import plain
from cse_client.errors import WrongUsage
from cse_client.model import (
    Cluster,
    ClusterSummary,
    Node,
    SystemInfo,
    Template,
)
from cse_client.model.addons import AddonInfo
from cse_client.model.grants import Grant
from cse_client.model.server import (
    ComputePolicy,
    EntityCluster,
    OvdcState,
    ServedNode,
    ServedSystem,
    Share,
    UpgradeTarget,
)
from cse_client.model.templates import TemplateDetails
from tests.support.programs import ROOT
from tests.support.schemas import check, schemas, showing_commands

RECORD = {
    "name": "demo",
    "version": "1.20",
    "nodes": [{"name": "a", "ip": "10.0.0.1"}],
    "ready": True,
}


def test_every_schema_is_one_and_belongs_to_a_command() -> None:
    named = {command.schema for _path, command in showing_commands()}
    for schema in schemas().values():
        Draft202012Validator.check_schema(schema)
    assert named == set(schemas())


def test_the_page_lists_them_all() -> None:
    text = (ROOT / "docs/output.md").read_text(encoding="utf-8")
    for path, command in showing_commands():
        kind = "list" if command.many else "object"
        link = f"{command.schema}.json](../cse_client/schemas/{command.schema}.json) |"
        lines = [line for line in text.splitlines() if f"`{path}`" in line and link in line]
        assert [kind in line for line in lines] == [True], path


def calls(tree: ast.AST, *names: str) -> bool:
    """Return whether code calls a method of a console by one of these names."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and ast.unparse(node.func.value).endswith("console")
        for node in ast.walk(tree)
    )


def test_every_command_that_lists_or_shows_has_all_formats() -> None:
    missing = []
    for path in sorted((ROOT / "cse_client/cli/commands").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
                continue
            made = " ".join(ast.unparse(one) for one in node.decorator_list)
            if calls(node, "table", "properties", "passage", "documented") and "shows(" not in made:
                missing.append(f"{path.name}: {node.name}")
    assert missing == []


def test_every_command_with_progress_has_its_option() -> None:
    missing = []
    for path in sorted((ROOT / "cse_client/cli/commands").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                made = {ast.unparse(one) for one in node.decorator_list}
                if calls(node, "progress") and not made & {"timeout_option", "progress_option"}:
                    missing.append(f"{path.name}: {node.name}")
    assert missing == []


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (Output("name"), "demo\n"),
        (
            Output("yaml"),
            'name: demo\nversion: "1.20"\nnodes:\n- name: a\n  ip: "10.0.0.1"\nready: true\n',
        ),
        (Output(query="name"), "demo\n"),
        (Output(query="version"), "1.20\n"),
        (Output(query="ready"), "true\n"),
        (Output(query="missing"), ""),
        (Output(query="nodes[].ip"), "10.0.0.1\n"),
        (
            Output(query="nodes[].{Node: name, IP: ip}"),
            "Node    IP\n------  --------\na       10.0.0.1\n",
        ),
        (Output(query="nodes[].[name, ip]"), "a  10.0.0.1\n"),
        (Output(query="{n: name}"), "Key    Value\n-----  -------\nn      demo\n"),
        (Output(query="nodes[?name=='b']"), ""),
        (Output("name", "nodes"), "a\n"),
        (Output("json", "nodes[0].name"), '"a"\n'),
        (Output("json", "missing"), "null\n"),
        (Output("yaml", "name"), "demo\n"),
        (Output("yaml", "nodes[].name"), "- a\n"),
    ],
)
def test_what_a_record_becomes(output: Output, text: str) -> None:
    assert output.text(RECORD, as_json=False) == text


def test_a_query_of_text_where_a_list_is_needed() -> None:
    with pytest.raises(WrongUsage, match="cannot be applied to the result"):
        Output(query="sort(name)").text(RECORD, as_json=False)


def test_foreign_text_cannot_steer_a_terminal() -> None:
    record = {"name": "a\x1b[2J\n\u202eb"}
    assert Output("name").text(record, as_json=False) == "a\\x1b[2J \\u202eb\n"
    for form in ("json", "yaml"):
        text = Output(form).text(record, as_json=False)
        assert text.isascii()
        assert "\x1b" not in text
        assert yaml.safe_load(text) == record


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_json_and_yaml_say_what_was_there(value: Any) -> None:
    assert json.loads(Output("json").text(value, as_json=False)) == value
    assert yaml.safe_load(Output("yaml").text(value, as_json=False)) == value


def test_keys_that_need_no_quotes() -> None:
    row = {"K8s Version": 1, "IP Address": 2, "Docker-CE": 3, "name": 4}
    assert keyed(row) == {"k8s_version": 1, "ip_address": 2, "docker_ce": 3, "name": 4}


@shows("demo", "node", many=True)
@org_option
@click.pass_context
def demo(ctx: click.Context, org: str) -> None:
    click.echo(f"{org} {Output.of(ctx)}")


@pytest.mark.parametrize(
    ("words", "org", "form"),
    [
        (["-o", "json"], "", "json"),
        (["-o", "JSON"], "", "json"),
        (["-ojson"], "", "json"),
        (["-o", "acme"], "acme", ""),
        (["-oacme"], "acme", ""),
        (["-o", "acme", "-o", "wide"], "acme", "wide"),
        (["--org", "json"], "json", ""),
        (["--org=json", "--output=name"], "json", "name"),
    ],
)
def test_the_short_option_is_the_format_and_as_in_cse_the_organization(
    words: Sequence[str], org: str, form: str
) -> None:
    assert CliRunner().invoke(demo, words).output == f"{org} {Output(form)}\n"


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([{"name": "a", "available": "2"}, {"name": "a"}, {"name": "b"}], "a\nb\n"),
        ([{"result": "ok", "check": "VMs"}, {"result": "ok", "check": "Disk"}], "VMs\nDisk\n"),
        ({"apiVersion": "cse-client/v1", "metadata": {"name": "demo"}}, "demo\n"),
        ({"plan": [], "cluster": "demo"}, "demo\n"),
        ({"plan": [], "cluster": "demo", "pool": "big"}, "big\n"),
        ([{"when": "today", "what": "Create"}], "today\n"),
        ([], ""),
    ],
)
def test_names(records: Any, text: str) -> None:
    assert Output("name").text(records, as_json=False) == text


@pytest.mark.parametrize("form", ["csv", "XML", "jsonpath={.name}", "custom-columns=NAME:.name"])
def test_a_format_of_other_programs_is_not_an_organization(form: str) -> None:
    for words in (["-o", form], [f"-o{form}"]):
        result = CliRunner().invoke(demo, words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"'{form}' is not one of 'table', 'wide', 'json', 'yaml', 'name'." in result.stderr
    assert CliRunner().invoke(demo, ["--org", form]).output == f"{form} {Output()}\n"


@pytest.mark.parametrize("query", ["nodes[", "(" * 4000, "a b"])
def test_an_expression_that_is_none(query: str) -> None:
    result = CliRunner().invoke(demo, ["--query", query])
    assert (result.exit_code, "is not a JMESPath expression" in result.output) == (2, True)


TEXT = st.text(max_size=6)
TIME = st.datetimes(timezones=st.just(timezone.utc))
#: Fields of the model's types by their annotations, as they stand there.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "bool": st.booleans(),
    "int": st.integers(),
    "int | None": st.none() | st.integers(),
    "bool | None": st.none() | st.booleans(),
    "datetime | None": st.none() | TIME,
    "tuple[str, ...]": st.lists(TEXT, max_size=2).map(tuple),
    "tuple[tuple[str, int], ...]": st.lists(st.tuples(TEXT, st.integers())).map(tuple),
    "Mapping[str, str]": st.dictionaries(TEXT, TEXT, max_size=2),
    "Mapping[str, Any]": st.dictionaries(TEXT, VALUES, max_size=2),
}


def model_type(name: str) -> type:
    """Return a type of the model by its name."""
    modules = (
        import_module(f"cse_client.model.{one.name}") for one in iter_modules(model.__path__)
    )
    found = next(vars(module)[name] for module in modules if name in vars(module))
    assert isinstance(found, type)
    return found


def every(kind: type) -> st.SearchStrategy[Any]:
    """Return values of a type of the model, with every field."""

    def field(annotation: str) -> st.SearchStrategy[Any]:
        if annotation in FIELDS:
            return FIELDS[annotation]
        if annotation.startswith("tuple["):
            inner = annotation.removeprefix("tuple[").removesuffix(", ...]")
            return st.lists(field(inner), max_size=2).map(tuple)
        found = every(model_type(annotation.removesuffix(" | None")))
        return found | st.none() if annotation.endswith(" | None") else found

    return st.builds(kind, **{one.name: field(str(one.type)) for one in dataclasses.fields(kind)})


def shown(record: Any) -> Any:
    """Return a record as JSON shows it."""
    return json.loads(json.dumps(record))


@settings(max_examples=20)
@given(every(Cluster), every(EntityCluster), every(ClusterSummary))
def test_clusters(cluster: Cluster, served: EntityCluster, summary: ClusterSummary) -> None:
    for one in (cluster, served):
        check("cluster info", shown(cluster_record(one)))
    check("cluster list", shown([summary_record(summary)]))


@settings(max_examples=20)
@given(every(Node), every(ServedNode))
def test_nodes(node: Node, served: ServedNode) -> None:
    check("node list", shown([plain(node), plain(served)]))
    check("node info", shown(plain(node)))


@settings(max_examples=20)
@given(every(Template), every(TemplateDetails))
def test_templates(template: Template, details: TemplateDetails) -> None:
    check("template list", shown([template_record(template)]))
    check("template info", shown(template_details_record(template, details, ["demo"])))


@settings(max_examples=20)
@given(every(Grant), every(AddonInfo), every(Share), every(UpgradeTarget))
def test_lists_of_a_cluster(
    grant: Grant, addon: AddonInfo, share: Share, target: UpgradeTarget
) -> None:
    check("addon status", shown([plain(addon)]))
    check("cluster share-list", shown([share_record(share)]))
    check("cluster upgrade-plan", shown([plain(target)]))
    check("cluster grants", shown([{**grant_record(grant), "kind": "User"}]))


@settings(max_examples=20)
@given(every(OvdcState), every(ComputePolicy), every(SystemInfo), every(ServedSystem))
def test_administration(
    ovdc: OvdcState, policy: ComputePolicy, system: SystemInfo, served: ServedSystem
) -> None:
    check("ovdc list", shown([ovdc_record(ovdc)]))
    check("ovdc info", shown(ovdc_record(ovdc)))
    check("ovdc compute-policy list", shown([plain(policy)]))
    for one in (system, served):
        check("system info", shown({**system_record(one), "engine": "direct"}))


ROWS: list[dict[str, Any]] = [
    {"Name": "a", "Description": "x" * 50, "Org": "acme", "Status": "POWERED_ON", "VDC": "vdc1"},
    {"Name": "b" * 20, "Description": "", "Org": "o", "Status": ("one", "other"), "VDC": ""},
]
ORDER = ("Name", "Description", "Org", "Status", "VDC")


def test_the_state_of_nodes_is_seen_in_forty_columns() -> None:
    columns = ("Name", "Kind", "IP", "CPU", "Memory MB", "VM", "Kubernetes", "Version")
    values = ("mstr-a1b2", "control plane", "10.0.0.123", 2, 4096, "POWERED_ON", "Ready", "v1.37.2")
    found = fitting([dict(zip(columns, values))], columns, 40)
    assert tuple(found) == ("Name", "VM", "Kubernetes")


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (0, ORDER),
        (98, ORDER),
        (97, ("Name", "Org", "Status", "VDC")),
        (46, ("Name", "Org", "Status", "VDC")),
        (45, ("Name", "Status", "VDC")),
        (38, ("Name", "Status")),
        (1, ("Name", "Status")),
    ],
)
def test_a_table_leaves_columns_out_until_it_fits(width: int, shown: tuple[str, ...]) -> None:
    found = fitting(ROWS, ORDER, width)
    assert tuple(found) == shown
    lines = columns_text(([row[key] for key in found] for row in ROWS), found).splitlines()
    longest = max(map(len, lines))
    assert longest <= width or not width or len(found) == 2
