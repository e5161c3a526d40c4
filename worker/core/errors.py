"""What an adapter may raise. Each maps its library's errors to these, and lets bugs through to stop the process."""


class OutsideError(Exception):
    """Something outside the process did not do what was asked; the text says what, where and why."""


class Unavailable(OutsideError):
    """It may work later: refused connection, time-out, throttling, a server's error. *retry_after* in seconds."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Refused(OutsideError):
    """It will not work until somebody changes something: credentials, permissions, a name that does not exist."""
