"""Serve models on a port of this machine: windows by POST, streams by WebSocket.

Bundles in; a service that runs until Ctrl-C out. The address goes to stderr, or with --json
to stdout as one line, when it is ready.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import onwrist
from onwrist.bench.machine import usable_processors
from onwrist.bundles import DEFAULT
from onwrist.commands import output
from onwrist.extras import require
from onwrist.serve.settings import PORT, Limits, Settings
from onwrist_runtime.engines import ENGINES

TOKEN = "ONWRIST_TOKEN"
_MOST_THREADS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundles",
        nargs="*",
        default=[DEFAULT],
        metavar="BUNDLE",
        help=f"bundles that come with onwrist, or .onwrist files (default: {DEFAULT})",
    )
    parser.add_argument(
        "--engine",
        choices=list(ENGINES),
        help="default: the first of these that is installed and can run the bundle",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; any but this machine's own requires a token "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help="0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--token",
        help=f"what callers must know; better in the environment as {TOKEN}, since other users "
        "of this machine see a command's arguments",
    )
    parser.add_argument(
        "--app", type=Path, metavar="DIR", help="serve the built companion app at /"
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="pages of this origin may use the service as well, such as "
        "http://localhost:5173; can be repeated",
    )
    parser.add_argument(
        "--max-streams",
        type=int,
        default=Limits().streams,
        metavar="N",
        help="streams at once; further ones are refused (default: %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=min(_MOST_THREADS, len(usable_processors())),
        help="threads that predict (default here: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    settings = Settings(
        host=arguments.host,
        port=arguments.port,
        token=arguments.token or os.environ.get(TOKEN) or None,
        origins=tuple(arguments.allow_origin),
        app=arguments.app,
        threads=arguments.threads,
        limits=Limits(streams=arguments.max_streams),
    )
    for package in ("fastapi", "uvicorn", "websockets", "fastapi_offline"):
        require(package, "serve", "onwrist serve")
    from onwrist.serve.server import Service

    models = [onwrist.load(bundle, arguments.engine) for bundle in arguments.bundles]
    service = Service(models, settings)
    url = service.url

    def ready() -> None:
        names = [model.name for model in models]
        if arguments.json:
            output.print_json(
                {"url": url, "models": names, "token": settings.token is not None}
            )
            sys.stdout.flush()
            return
        with_token = ", with a token" if settings.token is not None else ""
        print(
            f"onwrist: {', '.join(names)} at {url}{with_token}; {url}/docs says how to ask; "
            "Ctrl-C ends",
            file=sys.stderr,
        )

    service.run(ready)
    return 0
