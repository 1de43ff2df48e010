"""The command lines of the benchmarks: what each measures, its limits, and numbers above zero."""

from __future__ import annotations

import argparse


def parser(text: str) -> argparse.ArgumentParser:
    """Return a parser for a benchmark; `text` is one sentence of what it measures and limits."""
    return argparse.ArgumentParser(
        description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )


def add_scale(to: argparse.ArgumentParser) -> None:
    """Add --scale."""
    to.add_argument(
        "--scale",
        type=factor,
        default=1.0,
        help="factor for the seconds that tasks and guests take",
    )


def number(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def count(text: str) -> int:
    """Return a whole number, which may be 0."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number")
    return int(text)


def factor(text: str) -> float:
    """Return a number above 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return found
