"""Packaging of cse-client; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """Return the version that cse_client/__init__.py names, without importing it."""
    text = (HERE / "cse_client" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise RuntimeError("cse_client/__init__.py names no version")
    return match[1]


setup(
    name="cse-client",
    version=version(),
    description="Kubernetes clusters on VMware Cloud Director, from vcd-cli, without a CSE server",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9",
    packages=find_packages(include=["cse_client", "cse_client.*"]),
    entry_points={
        "console_scripts": [
            "cse = cse_client.program:main",
            "cse-complete = cse_client.completion.program:main",
        ]
    },
    package_data={
        "cse_client": ["py.typed", "schemas/*.json"],
        "cse_client.guest": ["scripts/*.sh"],
    },
    install_requires=[
        "vcd-cli>=24.1.0,<25",
        "pyvcloud>=23.0.4,<24",
        # vcd-cli imports pkg_resources and does not declare it: 80.9 warns on every run, 82 has
        # none; 78.1.1 fixes a path traversal
        "setuptools>=78.1.1,<80.9",
        "click",
        "PyYAML",
        "requests",
        "lxml",
        "tabulate",
        "cryptography>=42",
        "jmespath>=1,<2",
        "lightkube>=0.17,<2",
        "pyrage>=1.2,<2",
        "websockets>=15,<18",
    ],
    extras_require={
        "test": [
            "coverage>=7.10",
            "grimp>=3",
            "hypothesis>=6",
            "jsonschema>=4.18",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.7",
        ],
        "lint": [
            "codespell[toml]>=2.4",
            "import-linter>=2",
            "lxml-stubs",
            "mypy>=1.14",
            "ruff>=0.15,<0.18",
            "types-PyYAML",
            "types-jsonschema",
            "types-requests",
            "types-tabulate",
        ],
        "recording": ["pyte>=0.8"],
        "release": ["build>=1.2", "twine>=6"],
    },
    keywords=[
        "cluster",
        "container-service-extension",
        "cse",
        "kubernetes",
        "vcd",
        "vcd-cli",
        "vcloud-director",
        "vmware",
        "vmware-cloud-director",
    ],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Clustering",
        "Topic :: System :: Systems Administration",
        "Typing :: Typed",
    ],
)
