"""The tree as the style tests see it: which files there are, and what is defined in them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
PACKAGE = REPOSITORY / "src" / "polymarket_agent"
CODE_FOLDERS = ("src", "tests", "benchmarks", "examples")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(folder: Path) -> list[Path]:
    """Return every Python file under a folder, in a stable order."""
    return sorted(path for path in folder.rglob("*.py") if ".venv" not in path.parts)


@cache
def parse(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    """Return a path as the ratchet and the messages write it."""
    return path.relative_to(REPOSITORY).as_posix()


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, FunctionNode]]:
    """Yield every function with its qualified name, nested ones and methods too."""
    for node in ast.iter_child_nodes(tree):
        name = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{node.name}" if prefix else node.name
        if isinstance(node, FunctionNode):
            yield name, node
        yield from functions(node, name)


def calls_of(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Yield every call of a built-in by its bare name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def tracked_files() -> list[Path]:
    """Return what git tracks or would track; empty outside a checkout."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    names = listing.stdout.decode().split("\0") if listing.returncode == 0 else []
    return [path for name in names if name and (path := REPOSITORY / name).is_file()]
