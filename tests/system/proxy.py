"""A proxy between the worker and a service, through which a test has its hand on the calls: it holds them, before the
work or after it, loses them, or answers in the service's place.

So a phase of the worker can be seen from outside and lasts for as long as the test wants, and so does an outage.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tests.system.outside import SQS_BATCH, Cloud, TooLate, until
from tests.system.processes import HOST

LONGEST_HOLD = 60.0
"""Seconds; a test that forgot to release must end."""

EMPTY_SECONDS = 0.1
"""What an empty receive takes longer than its service: a worker whose polls do not wait asks as fast as it is answered."""

NOT_PASSED_ON = frozenset({"transfer-encoding", "connection", "content-length"})


@dataclass(frozen=True, eq=False)
class Call:
    """One request as it came. *name*: the action of a call to SQS, or else the method and the path. *token*: that of
    the AWS session it is made in.
    """

    name: str
    body: str
    to_sqs: bool
    token: str | None


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_sqs(cls, status: int, code: str, message: str = "") -> Self:
        """An error as SQS words it in its JSON protocol."""
        body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message}).encode()
        headers = {"x-amzn-query-error": f"{code};Sender", "Content-Type": "application/x-amz-json-1.0"}
        return cls(status, body, headers)


BROKEN = Reply(0)
"""No answer: the connection breaks."""


@dataclass
class Hold:
    """Calls whose *name* begins so and whose body tells of *about* are held, before the service sees them, or (*after*)
    when it has done its work.
    """

    name: str
    about: str
    after: bool
    released: threading.Event = field(default_factory=threading.Event)
    met: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    lost: bool = False

    def wait_until_met(self, seconds: float = 30.0) -> None:
        """Until one more call is held. Raises :class:`TooLate`."""
        if not self.met.acquire(timeout=seconds):
            raise TooLate(f"waited {seconds:g} s in vain until a call was held")

    def release(self) -> None:
        """Let go of those that are held, and hold none any more."""
        self.released.set()

    def lose(self) -> None:
        """Those that are held never arrive, and their connections break."""
        self.lost = True
        self.released.set()


class Proxy:
    """Passes every call on to the service at *target*, but for those that are held, or that *instead* has a reply to."""

    def __init__(self) -> None:
        self.url = ""
        self.instead: Callable[[Call], Reply | None] = lambda _call: None
        self._holds: list[Hold] = []
        self._under_way: set[Call] = set()
        self._handles: dict[str, str] = {}
        self._closed = threading.Event()

    def hold(self, name: str, *, about: str = "", after: bool = False) -> Hold:
        """Hold calls from now on."""
        hold = Hold(name, about, after)
        self._holds.append(hold)
        return hold

    def release_all(self) -> None:
        for hold in self._holds:
            hold.release()

    def close(self) -> None:
        """Nobody is kept waiting any more."""
        self._closed.set()
        self.release_all()

    def lose_all(self) -> None:
        for hold in self._holds:
            hold.lose()

    def wait_until_idle(self) -> None:
        """Until no call is under way. A poll outlives the process that asked, and swallows messages; and it may be answered
        after an outage began.
        """
        until("no call is under way", lambda: not self._under_way)

    def end_leases(self, cloud: Cloud) -> None:
        """What time does for a dead process: all that it held may be had again. Spares a test the wait for it."""
        self.wait_until_idle()
        handles, self._handles = list(self._handles.values()), {}
        for start in range(0, len(handles), SQS_BATCH):
            entries = [
                {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for place, handle in enumerate(handles[start : start + SQS_BATCH])
            ]
            cloud.sqs.change_message_visibility_batch(QueueUrl=cloud.queue_url, Entries=entries)

    def answer(self, call: Call, of_service: Callable[[], Reply]) -> Reply:
        """In the connection's thread: stays for as long as the call is held. Raises ConnectionError for one that is lost."""
        self._under_way.add(call)
        try:
            self._pause(call, after=False)
            if (reply := self.instead(call)) is None:
                reply = of_service()
                if call.name == "ReceiveMessage":
                    messages = json.loads(reply.body).get("Messages", [])
                    self._handles.update({told["MessageId"]: told["ReceiptHandle"] for told in messages})
                    if not messages:
                        self._closed.wait(EMPTY_SECONDS)
            self._pause(call, after=True)
        finally:
            self._under_way.discard(call)
        if reply is BROKEN:
            raise ConnectionAbortedError
        return reply

    def _pause(self, call: Call, *, after: bool) -> None:
        for hold in list(self._holds):
            meant = call.name.startswith(hold.name) and hold.about in call.body
            if meant and hold.after is after and not hold.released.is_set():
                hold.met.release()
                hold.released.wait(LONGEST_HOLD)
                if hold.lost:
                    raise ConnectionAbortedError


@contextmanager
def running_proxy(target: str) -> Iterator[Proxy]:
    """A proxy to the service at the URL *target*, on a free port of the loopback."""
    proxy = Proxy()
    service = urlsplit(target).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            call = Call(
                action or f"{self.command} {self.path}",
                body.decode(errors="replace"),
                bool(action),
                self.headers.get("X-Amz-Security-Token"),
            )
            # A worker that was killed meanwhile takes no answer.
            with suppress(ConnectionError):
                self._send(proxy.answer(call, lambda: self._passed_on(body)))
                return
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server calls them so

        def _passed_on(self, body: bytes) -> Reply:
            with closing(HTTPConnection(service, timeout=LONGEST_HOLD)) as connection:
                connection.request(self.command, self.path, body, kept(self.headers.items()))
                answer = connection.getresponse()
                return Reply(answer.status, answer.read(), kept(answer.getheaders()))

        def _send(self, reply: Reply) -> None:
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with Server((HOST, 0), Handler) as server:
        proxy.url = f"http://{HOST}:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield proxy
        finally:
            proxy.close()
            server.shutdown()
            serving.join()


def kept(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in NOT_PASSED_ON}
