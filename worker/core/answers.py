"""What Darwin's answers mean: the answer table, one function."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request, before anybody judged it.

    *status* is None when no whole answer came: time-out, broken connection. *payload* is the parsed JSON body, or
    None when the body is no JSON. *text* is at most 500 characters of what Darwin (or the network) said.
    *retry_after* in seconds, from now. *seconds* is how long the request took.
    """

    status: int | None
    payload: object = None
    text: str = ""
    retry_after: float | None = None
    seconds: float = 0.0
