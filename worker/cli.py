"""Arguments to commands. What a user can cause ends in one line per problem on stderr, never in a traceback.

Exit codes: 0 done, 1 something outside is in the way (or the command's own no), 2 wrong arguments or settings, 130 broken
off with Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from worker import logs
from worker.core.errors import OutsideError
from worker.settings import SettingsError

OUTSIDE, USAGE, BROKEN_OFF = 1, 2, 130

COMMANDS = {
    "run": "run the worker until it is asked to stop",
    "check": "show the settings in force and try everything that `run` needs",
    "explain": "show what the routes make of objects, and the request that would be sent; nothing is sent",
    "why": "say what became of an object, where it stands, and what to do",
    "status": "say how the running worker does: its conditions, queues, lanes and quota",
    "backfill": "send what a bucket held before its notifications through the same queue",
    "reconcile": "compare the bucket with Darwin's datasets, and enqueue what is missing",
    "dead-letters": "list, show, replay, export or purge what could not be registered",
    "forget": "remove an object's claim from the ledger, so that it can be registered anew",
    "schema": "print the JSON Schema of the routes file, for editors",
    "demo": "run the whole job on this machine, with embedded engines and a Darwin twin",
}


def _parser(wanted: str) -> argparse.ArgumentParser:
    """Of all commands, with the arguments of the *wanted* one: a command is imported when it is asked for, because `run`
    must not need what only the demo needs.
    """
    top = argparse.ArgumentParser(
        prog="darwin-worker", description="Registers every new object of an S3 bucket in V7 Darwin."
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {version('darwin-worker')}")
    commands = top.add_subparsers(dest="command", metavar="command")
    for name, sentence in COMMANDS.items():
        command = commands.add_parser(
            name, help=sentence, description=sentence, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == wanted:
            _command(name).declare(command)
    return top


def _command(name: str) -> ModuleType:
    return import_module(f"worker.commands.{name.replace('-', '_')}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code. *argv* is without the program's name; None: the process's own."""
    words = sys.argv[1:] if argv is None else argv
    top = _parser(next((word for word in words if not word.startswith("-")), ""))
    arguments = top.parse_args(words)
    if arguments.command is None:
        top.print_help(sys.stderr)
        return USAGE
    try:
        return _flushed(int(_command(arguments.command).main(arguments)))
    except SettingsError as error:
        return _complain(error.lines, USAGE)
    except OutsideError as error:
        return _complain([str(error)], OUTSIDE)
    except ExceptionGroup as group:
        told, bugs = group.split((SettingsError, OutsideError))
        if told is None or bugs is not None:
            raise
        errors = list(_leaves(told))
        lines = [line for error in errors for line in str(error).splitlines()]
        return _complain(
            lines, USAGE if any(isinstance(error, SettingsError) for error in errors) else OUTSIDE
        )
    except BrokenPipeError:
        # Whoever read our answer had enough of it. The interpreter would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUTSIDE
    except KeyboardInterrupt:
        return BROKEN_OFF


def _flushed(code: int) -> int:
    """A reader who has gone is to be noticed here, and not when the interpreter ends."""
    sys.stdout.flush()
    return code


def _leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    """What a task group's error holds, however deep the groups are nested."""
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _complain(lines: Sequence[str], code: int) -> int:
    for line in lines:
        print(f"darwin-worker: {logs.redact(line)}", file=sys.stderr)  # noqa: T201 - this is the user's answer
    return code
