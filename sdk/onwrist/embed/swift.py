"""A bundle in, a Swift package for iOS out."""

from __future__ import annotations

from onwrist.embed import writing
from onwrist_runtime.bundle import Bundle


def files(bundle: Bundle) -> dict[str, bytes]:
    """Every file of the target `ios` by its path."""
    graphs = writing.graphs_of(bundle, "ios", "tflite")
    return writing.data_files(bundle, graphs)
