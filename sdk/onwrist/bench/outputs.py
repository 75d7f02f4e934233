"""What the engine gives on the bundle's golden vectors: a hash of each output, and a proof."""

from __future__ import annotations

import hashlib

import numpy as np

from onwrist.bench.calls import step_engine
from onwrist.bench.report import Outputs
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.engines import steps
from onwrist_runtime.interpreters import Engine
from onwrist_runtime.manifest import NEXT_STATE
from onwrist_runtime.model import Model
from onwrist_runtime.verify import golden_vectors, replay, role_of, verify


def outputs(model: Model) -> tuple[Outputs, ...]:
    """Of windows or days, and of steps where the engine can run them."""
    found = [_outputs(model.bundle, model.engine)]
    if steps(model.bundle, model.engine.name):
        found.append(_outputs(model.bundle, step_engine(model)))
    return tuple(found)


def _outputs(bundle: Bundle, engine: Engine) -> Outputs:
    golden = golden_vectors(bundle, engine)
    hashes = {name: hashlib.sha256() for name in bundle.manifest.outputs}
    if role_of(bundle.manifest, engine) == "step":
        hashes[NEXT_STATE] = hashlib.sha256()
    for given in replay(bundle, engine, golden):
        for name, so_far in hashes.items():
            # Little-endian float32, whatever the machine.
            so_far.update(np.ascontiguousarray(given[name], "<f4").tobytes())
    report = verify(bundle, engine)
    return Outputs(
        role=role_of(bundle.manifest, engine),
        graph=engine.graph,
        vectors=report.windows,
        sha256={name: so_far.hexdigest() for name, so_far in hashes.items()},
        passed=report.passed,
        differences={
            name: None if np.isnan(off) else off for name, off in report.differences.items()
        },
    )
