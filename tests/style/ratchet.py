"""Lengths over the limit, and the record of those that are allowed for now.

`make ratchet` lowers the record to what the tree has and never adds to it. `--accept` adds: it is for the day a limit
is introduced, and a reviewer sees every line of it.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tests.style.source import CODE_FOLDERS, REPOSITORY, functions, name_of, parse, python_files

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 70
RECORD = Path(__file__).parent / "ratchet.toml"

Lengths = Mapping[str, int]


def over_limit() -> dict[str, int]:
    """Return every module and function that is too long, by name, with its length in lines."""
    found = {}
    for path in (path for folder in CODE_FOLDERS for path in python_files(REPOSITORY / folder)):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_MODULE_LINES:
            found[name_of(path)] = lines
        for name, node in functions(parse(path)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                found[f"{name_of(path)}::{name}"] = length
    return found


def recorded() -> dict[str, int]:
    """Return the lengths that are allowed for now."""
    return tomllib.loads(RECORD.read_text(encoding="utf-8"))


def complaints(now: Lengths, allowed: Lengths) -> list[str]:
    """Return what the tree and the record disagree about, one sentence each."""
    said = []
    for name, lines in sorted(now.items()):
        limit = allowed.get(name, MAX_FUNCTION_LINES if "::" in name else MAX_MODULE_LINES)
        if lines > limit:
            said.append(f"{name} has {lines} lines, its limit is {limit}; split it where a second idea begins")
    for name, limit in sorted(allowed.items()):
        if now.get(name, 0) < limit:
            said.append(f"{name} is shorter than its recorded {limit} lines now; run `make ratchet` to keep the gain")
    return said


def shrink(now: Lengths, allowed: Lengths) -> dict[str, int]:
    """Return the record lowered to the tree: entries fall or go, none is added or raised."""
    return {name: min(limit, now[name]) for name, limit in allowed.items() if name in now}


def main() -> None:
    """Rewrite the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--shrink", action="store_true", help="lower the record to the tree; never adds")
    choice.add_argument("--accept", action="store_true", help="record the tree as it is, longer or not")
    now = over_limit()
    record = now if parser.parse_args().accept else shrink(now, recorded())
    lines = ["# Longer than the limits allow; each may only shrink. `make ratchet` lowers these numbers.\n"]
    lines += [f'"{name}" = {length}\n' for name, length in sorted(record.items())]
    RECORD.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
