"""A block of code in, what kind of work it does out."""

from __future__ import annotations

import re
from collections.abc import Sequence

PRODUCTS, FLOAT_PRODUCTS = "INT8 products", "float products"
ELEMENTS, COPIES, NODES = "element by element", "copies", "nodes of the graph"
KINDS = (PRODUCTS, FLOAT_PRODUCTS, ELEMENTS, COPIES, NODES)

_INTEGER = re.compile(r"^(sdot|udot|smlal2?|smull2?)\b")
_FLOAT = re.compile(r"^fmla\b.*\.s\[")
_VECTOR = re.compile(r"\b[vqd]\d+")
_MOVES = re.compile(r"^(ld|st|add|sub|cmp|b|tst|cb|tb|nop|ret|prfm)")
VECTORS = 0.3  # share of instructions above which a block is vector code


def kind(texts: Sequence[str]) -> str:
    """Of a block, by the text of its instructions.

    Products are those of matrices; a few others, of tensors with each other, are among them on
    cores without an integer dot product. What is left is walking from node to node of the
    graph and setting up each.
    """
    if any(_INTEGER.match(text) for text in texts):
        return PRODUCTS
    if any(_FLOAT.match(text) for text in texts):
        return FLOAT_PRODUCTS
    vectors = sum(bool(_VECTOR.search(text)) for text in texts)
    if vectors <= VECTORS * len(texts):
        return NODES
    return COPIES if all(_MOVES.match(text) for text in texts) else ELEMENTS
