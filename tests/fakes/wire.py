"""HTTP/1.1 for stubs that must cost little: requests over kept connections, one after the other on each."""

import asyncio
import json
from collections.abc import Mapping
from typing import NamedTuple


class Request(NamedTuple):
    """*headers* by their names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def sqs_call(self) -> str | None:
        """The action of SQS's JSON protocol; None for other requests."""
        target = self.headers.get("x-amz-target")
        return None if target is None else target.rpartition(".")[2]


class Connection(asyncio.Protocol):
    """What a client opened. A stub says in :meth:`received` what it does with a request, and answers now or later."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None

    def received(self, request: Request) -> None:
        raise NotImplementedError

    def answer(self, status: int, answer: object, headers: str = "") -> None:
        """JSON, or text as it is. *headers*: whole lines, each with its end."""
        if self._transport is not None:
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}"
            self._transport.write(head.encode() + b"\r\n\r\n" + body)

    def break_off(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._data[:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            if headers.get("expect", "").lower() == "100-continue" and len(self._data) == end + 4:
                assert self._transport is not None
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(headers.get("content-length", 0))
            if len(self._data) < end + 4 + length:
                return
            body = bytes(self._data[end + 4 : end + 4 + length])
            del self._data[: end + 4 + length]
            method, target, _ = first.split(" ", 2)
            self.received(Request(method, target, headers, body))


async def serve(connection: type[Connection], *given: object) -> asyncio.Server:
    """On a free port of loopback; each client has a *connection* of its own, made with what is *given*."""
    return await asyncio.get_running_loop().create_server(lambda: connection(*given), "127.0.0.1", 0)
