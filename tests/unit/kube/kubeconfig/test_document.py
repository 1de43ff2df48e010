from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cse_client.kube.kubeconfig.document import context_name, render_kubeconfig

TEXT = render_kubeconfig(
    cluster="demo",
    context="demo@org1-vdc1",
    user="admin",
    server="https://10.0.0.2:6443",
    ca=b"ca\n" * 100,
    cert=b"cert\n" * 100,
    key=b"key\n" * 100,
)


def test_the_text_is_clean_and_in_the_usual_order() -> None:
    assert TEXT.isascii()
    assert TEXT.endswith("current-context: demo@org1-vdc1\n")
    assert not set(TEXT) & {"\r", "\t", "\x1b"}
    keys = [line.partition(":")[0] for line in TEXT.splitlines() if line[0].isalpha()]
    assert keys == ["apiVersion", "kind", "clusters", "users", "contexts", "current-context"]
    # One line per value: nothing is folded.
    assert len(TEXT.splitlines()) == 18


def test_the_values_are_all_there() -> None:
    document = yaml.safe_load(TEXT)
    cluster = document["clusters"][0]["cluster"]
    user = document["users"][0]["user"]
    assert cluster["server"] == "https://10.0.0.2:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"ca\n" * 100
    assert base64.b64decode(user["client-certificate-data"]) == b"cert\n" * 100
    assert base64.b64decode(user["client-key-data"]) == b"key\n" * 100
    assert document["contexts"][0]["context"] == {"cluster": "demo", "user": "admin"}


def test_names_that_yaml_would_misread_are_quoted() -> None:
    text = render_kubeconfig(
        cluster="yes", context="1.0", user="~", server="https://a", ca=b"", cert=b"", key=b""
    )
    document = yaml.safe_load(text)
    assert document["clusters"][0]["name"] == "yes"
    assert document["current-context"] == "1.0"
    assert document["users"][0]["name"] == "~"


def test_the_context_names_cluster_org_and_vdc() -> None:
    assert context_name("demo", "org1", "vdc1") == "demo@org1-vdc1"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")
def test_kubectl_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(TEXT)
    words = ["kubectl", "--kubeconfig", str(path), "config", "view", "-o", "jsonpath={..server}"]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stdout == "https://10.0.0.2:6443"
