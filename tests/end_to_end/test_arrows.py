"""Who may import whom: runtime <- sdk <- export, and nothing heavy below export.

The source says what is imported anywhere, the runtime's own tests that it needs no more.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LEAN = sys.stdlib_module_names | {"numpy", "msgspec", "safetensors", "onwrist_runtime"}
EXTRAS = {"pandas", "pyarrow", "matplotlib", "rich", "garmin_fit_sdk"}
SERVING = {"fastapi", "h11", "starlette", "uvicorn", "websockets"}  # of onwrist.serve

COMPUTED = ("extras.py", "commands/serve.py", "embed/__init__.py")

RUNTIME_ALONE = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("onwrist", "onwrist_export", "torch", "pandas"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def sources(folder: str) -> list[Path]:
    found = sorted((REPOSITORY / folder).rglob("*.py"))
    assert found
    return found


def imports(tree: ast.AST, inside: bool = False) -> Iterator[tuple[str, bool, int]]:
    """Package, whether it is imported inside a function only, and line, of each import."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], inside, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            assert node.module is not None
            yield node.module.partition(".")[0], inside, node.lineno
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in ("import_module", "__import__", "require") and node.args:
                yield named(node.args[0]), inside, node.lineno
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from ((name, True, line) for name, _, line in imports(node, inside))
            continue
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(node, inside or function)


def named(argument: ast.expr) -> str:
    """The package that a call imports; "something" where the name is computed."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value.partition(".")[0]
    return "something"


def found(folder: str, allowed: set[str], later: set[str]) -> list[str]:
    """Imports beyond `allowed`, and beyond `later` inside functions, by their place."""
    return [
        f"{path.relative_to(REPOSITORY / folder)}:{line} imports {name}"
        for path in sources(folder)
        for name, inside, line in imports(ast.parse(path.read_text()))
        if name not in allowed and not (inside and name in later)
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import a.b, c", [("a", False), ("c", False)]),
        ("from a.b import c", [("a", False)]),
        ("def f():\n    import a", [("a", True)]),
        ("class C:\n    import a", [("a", False)]),
        ("try:\n    import a\nexcept ImportError:\n    pass", [("a", False)]),
        ("if TYPE_CHECKING:\n    import a", [("a", True)]),
        ("x = importlib.import_module('a.b')", [("a", False)]),
        ("x = import_module(name)", [("something", False)]),
        ("def f():\n    x = g(require('a', 'b', 'c').D)", [("a", True)]),
    ],
)
def test_every_way_to_import_is_seen(code: str, expected: list[tuple[str, bool]]) -> None:
    assert [each[:2] for each in imports(ast.parse(code))] == expected


def test_the_runtime_imports_nothing_above_it_and_nothing_heavy() -> None:
    # Engines by the name that was asked for, and a module of NumPy.
    computed = {"onwrist_runtime/engines.py", "onwrist_runtime/processor.py"}
    places = found("runtime", LEAN, set())
    assert {re.sub(r":\d+ imports something$", "", place) for place in places} == computed


def test_the_sdk_imports_no_export_and_extras_only_when_needed() -> None:
    # The service, which nothing imports before it is asked for, is in tests/sdk/test_import.py.
    places = found("sdk", LEAN | {"onwrist"}, EXTRAS)
    places = [re.sub(r":\d+", "", place) for place in places]
    serving = {p for p in places if p.startswith("onwrist/serve/") and p.split()[-1] in SERVING}
    # By name: an extra that is asked for, and the language of a target.
    computed = {f"onwrist/{path} imports something" for path in COMPUTED}
    assert set(places) - serving == computed


@pytest.mark.slow
def test_the_runtime_passes_its_tests_alone(tmp_path: Path) -> None:
    """With `runtime/` on the path, and the two packages above it not to be found."""
    (tmp_path / "runtime_alone.py").write_text(RUNTIME_ALONE)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "runtime"), str(tmp_path)]),
    }

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True
        )

    for above in ("onwrist", "onwrist_export"):
        assert (
            f"No module named '{above}'"
            in python("-c", f"import runtime_alone, onwrist_runtime, {above}").stderr
        )
    done = python(
        "-m", "pytest", "tests/runtime", "tests/attacks", "-p", "runtime_alone",
        "-p", "no:cacheprovider",
    )  # fmt: skip
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert passed is not None
    assert int(passed[1]) > 200
