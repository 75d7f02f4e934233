"""Swift sources in; where they are not Swift, and what they ask of a C header, out.

There is no Swift compiler in the package registries, so a parser reads the sources, and a C
compiler is asked about every name, call and field of C that it finds in them.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

tree_sitter = pytest.importorskip("tree_sitter")
tree_sitter_swift = pytest.importorskip("tree_sitter_swift")

_SWIFT = tree_sitter.Language(tree_sitter_swift.language())
_GCC = ["gcc", "-std=c11", "-fsyntax-only", "-fmax-errors=0"]
_OURS = re.compile(r"onwrist_\w+|ONWRIST_\w+")


def errors(source: bytes) -> list[str]:
    """Each place where the source does not parse, by line."""
    return [
        f"line {node.start_point[0] + 1}: {node.text.decode()[:60]!r}"
        for node in _walk(tree_sitter.Parser(_SWIFT).parse(source).root_node)
        if node.type == "ERROR" or node.is_missing
    ]


@dataclass
class Uses:
    """What sources name of a C header.

    Attributes
    ----------
    names : types and constants.
    calls : functions, with the number of arguments they are given.
    fields : the C type of a struct, or an expression of that type, and a field of it.
    """

    names: set[str] = field(default_factory=set)
    calls: set[tuple[str, int]] = field(default_factory=set)
    fields: set[tuple[str, str]] = field(default_factory=set)


def uses(sources: Iterable[bytes], header: str) -> Uses:
    """What Swift sources name of a header; its structs are told from its functions."""
    structs = set(re.findall(r"\}\s*(onwrist_\w+)\s*;", header))
    found = Uses()
    for source in sources:
        _collect(tree_sitter.Parser(_SWIFT).parse(source).root_node, {}, structs, found)
    return found


def missing(found: Uses, include: Path) -> list[str]:
    """What a C compiler does not find in `onwrist.h` of a folder, in its words."""
    probes = []
    for name in sorted(found.names):
        constant = name.startswith("ONWRIST_")
        probes.append(f"(void){name};" if constant else f"{{ {name} *type = 0; (void)type; }}")
    for name, count in sorted(found.calls):
        probes.append(f"(void){name}({', '.join('0' * count)});")
    for owner, name in sorted(found.fields):
        value = f"(*({owner} *)0)" if "(" not in owner else owner
        probes.append(f"(void)sizeof({value}.{name});")
    lines = ['#include "onwrist.h"', "void probe(void) {", *probes, "}"]
    compiled = subprocess.run(
        [*_GCC, "-Werror=implicit-function-declaration", "-I", str(include), "-x", "c", "-"],
        input="\n".join(lines), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = re.findall(r"<stdin>:(\d+):\d+: error: (.*)", compiled.stderr)
    assert bool(said) == (compiled.returncode != 0), compiled.stderr
    return [f"{lines[int(number) - 1]}  {words}" for number, words in said]


def _collect(
    node: tree_sitter.Node, known: dict[str, str], structs: set[str], found: Uses
) -> None:
    """Walk with the C type of each variable in reach; functions have variables of their own."""
    if node.type in ("function_declaration", "init_declaration", "lambda_literal"):
        known = dict(known)
    if node.type in ("parameter", "lambda_parameter"):
        typed = [x for x in node.children if x.type == "user_type"]
        named = [x.text.decode() for x in node.children if x.type == "simple_identifier"]
        if typed and named and typed[0].text.decode() in structs:
            known[named[-1]] = typed[0].text.decode()
    elif node.type == "property_declaration":
        value, name = node.child_by_field_name("value"), node.child_by_field_name("name")
        called = _called(value) if value is not None else None
        if called is not None and name is not None:
            function, count = called
            zeros = f"{function}({', '.join('0' * count)})"
            known[name.text.decode()] = function if function in structs else zeros
    elif node.type == "call_expression":
        called = _called(node)
        if called is not None and called[0] not in structs:
            found.calls.add(called)
    elif node.type == "navigation_expression":
        target, suffix = node.child(0), node.child(1)
        owner = known.get(target.text.decode())
        if target.type == "simple_identifier" and owner is not None:
            found.fields.add((owner, suffix.text.decode().removeprefix(".")))
    elif node.type in ("simple_identifier", "type_identifier"):
        text = node.text.decode()
        parent = node.parent
        if _OURS.fullmatch(text) and (parent is None or parent.type != "call_expression"):
            found.names.add(text)
    for child in node.children:
        _collect(child, known, structs, found)


def _called(node: tree_sitter.Node) -> tuple[str, int] | None:
    """Name and number of arguments of a call of the C host."""
    if node.type != "call_expression" or node.child(0).type != "simple_identifier":
        return None
    name = node.child(0).text.decode()
    if not name.startswith("onwrist_"):
        return None
    arguments = next(x for x in _walk(node.child(1)) if x.type == "value_arguments")
    return name, sum(x.type == "value_argument" for x in arguments.children)


def _walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def declared_twice(source: bytes) -> list[str]:
    """Names that one scope declares twice, which parses but does not compile, by line.

    A `guard let x` with a variable x beside it is one, easily written and easily overlooked.
    """
    found = []
    for scope in _walk(tree_sitter.Parser(_SWIFT).parse(source).root_node):
        if scope.type != "statements":
            continue
        seen = set()
        for statement in scope.children:
            for name in _bound(statement):
                text = name.text.decode()
                if text in seen:
                    found.append(f"line {name.start_point[0] + 1}: {text}")
                seen.add(text)
    return found


def _bound(statement: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The names that a statement adds to its scope: of let, var and guard let."""
    if statement.type == "property_declaration":
        patterns = statement.children_by_field_name("name")
        return [x for p in patterns for x in _walk(p) if x.type == "simple_identifier"]
    if statement.type != "guard_statement":
        return []
    return list(statement.children_by_field_name("bound_identifier"))
