"""Command line in, exit code out: 0 done, 1 the work failed, 2 wrong use or bad input."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType

from onwrist.commands import bench, demo, embed, inspect, predict, serve, stream, verify
from onwrist_runtime.errors import (
    BundleError,
    CheckpointError,
    InputError,
    OnwristError,
    RecordingError,
)

_COMMANDS = {
    "demo": demo,
    "predict": predict,
    "stream": stream,
    "serve": serve,
    "inspect": inspect,
    "verify": verify,
    "embed": embed,
    "bench": bench,
}
_WRONG_USE = (InputError, RecordingError, BundleError, CheckpointError)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `onwrist`."""
    description = "Run wearable foundation encoders on wrist recordings."
    return run("onwrist", description, _COMMANDS, arguments)


def run(
    program: str,
    description: str,
    modules: Mapping[str, ModuleType],
    arguments: Sequence[str] | None = None,
) -> int:
    """Run one command; the message of an error goes to stderr, never a traceback.

    A command is a module: its docstring's first line is its help, `add_arguments` and
    `run` are its two functions.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in modules.items():
        help_line = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=help_line, description=help_line)
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _show_warning
        try:
            code: int = chosen.run(chosen)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            # Whoever read our output (head, less) has seen enough. Python would complain
            # again when it flushes at exit, so stdout goes nowhere from here on.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except _WRONG_USE as error:
            return _failed(program, error, 2)
        except (OnwristError, OSError) as error:
            return _failed(program, error, 1)
        except KeyboardInterrupt:
            return _failed(program, "interrupted", 130)


def _failed(program: str, error: object, code: int) -> int:
    print(f"{program}: error: {error}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"onwrist: warning: {message}", file=sys.stderr)
