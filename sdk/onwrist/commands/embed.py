"""Write what an app on Android, iOS, in C or on the web needs to run a bundle.

Model files for the target, manifest, golden vectors, the host's sources, typed constants and
a self-test, with a README. No engine is needed here: the self-test runs where the app runs.
"""

from __future__ import annotations

import argparse
import hashlib

from onwrist.bundles import find
from onwrist.commands import options, output
from onwrist.embed import TARGETS, embed
from onwrist.embed.folder import write_folder
from onwrist_runtime import bundle as bundles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_bundle(parser)
    parser.add_argument(
        "--target",
        required=True,
        choices=list(TARGETS),
        help="android: Kotlin, ios: Swift, c: C, web: TypeScript",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="DIR",
        help="the folder to make; an earlier one is replaced if nothing in it was changed",
    )


def run(arguments: argparse.Namespace) -> int:
    bundle = bundles.read(find(arguments.bundle))
    files = embed(bundle, arguments.target)
    write_folder(arguments.output, files)
    manifest = bundle.manifest
    if arguments.json:
        output.print_json(
            {
                "bundle": manifest.name,
                "version": manifest.version,
                "hash": bundle.hash,
                "target": arguments.target,
                "folder": arguments.output,
                "files": {
                    name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                    for name, data in files.items()
                },
            }
        )
        return 0
    width = max(map(len, files))
    for name, data in files.items():
        print(f"{name.ljust(width)}  {len(data):>9,} bytes")
    print(
        f"{manifest.name} {manifest.version} for {arguments.target} is in {arguments.output}; "
        "its README.md says how to add and call it"
    )
    return 0
