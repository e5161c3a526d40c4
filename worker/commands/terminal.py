"""What a command asks of the person before it."""

import sys


def agreed(question: str) -> bool:
    """What a person at the terminal says; where there is none, no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
