import ast
from pathlib import Path
from types import ModuleType

import pytest

import polymarket_agent
from tests.style.source import PACKAGE, name_of, parse, python_files

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

# Typer finds commands by their decorator; nobody imports them.
MODULES = [path for path in python_files(PACKAGE) if not path.name.startswith("_") and "cli" not in path.parts]


def bound_names(tree: ast.Module) -> set[str]:
    """Return every name that a module binds at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, Definition):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
    return names


def exported(tree: ast.Module) -> list[str]:
    """Return what `__all__` lists; empty when there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_lists_its_public_names(path: Path) -> None:
    """`__all__` names every public class and function that a module defines, and nothing that is not there."""
    tree = parse(path)
    public = {node.name for node in tree.body if isinstance(node, Definition) and not node.name.startswith("_")}
    listed = exported(tree)

    assert sorted(public - set(listed)) == [], "public, but not in __all__: list it or give it an underscore"
    assert sorted(set(listed) - bound_names(tree)) == [], "in __all__, but not defined"
    assert len(listed) == len(set(listed)), "listed twice"


def test_the_public_surface_is_what_the_package_lists() -> None:
    """Each name in polymarket_agent.__all__ can be had, and no other public name is lying about."""
    listed = set(polymarket_agent.__all__)
    lying_about = {
        name
        for name, value in vars(polymarket_agent).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and name not in {"annotations", "TYPE_CHECKING"}
    }

    assert sorted(name for name in listed if not hasattr(polymarket_agent, name)) == []
    assert sorted(lying_about - listed) == []
