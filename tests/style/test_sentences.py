import ast

from tests.style.source import REPOSITORY, functions, name_of, parse, python_files


def test_every_test_opens_with_a_sentence() -> None:
    """Each test says what must be true, so that a red line in CI can be read without its code."""
    silent = [
        f"{name_of(path)}:{node.lineno}: {name}"
        for path in python_files(REPOSITORY / "tests")
        for name, node in functions(parse(path))
        if node.name.startswith("test_") and not (ast.get_docstring(node) or "").strip()
    ]

    assert not silent
