"""A proxy between the worker and a service it calls, in which a test holds chosen calls: before the work or after it.

So a phase of the worker can be seen from outside, and lasts for as long as the test wants.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.system.outside import SQS_BATCH, Cloud, TooLate, until
from tests.system.processes import HOST

LONGEST_HOLD = 60.0
"""Seconds; a test that forgot to release must end."""

NOT_PASSED_ON = frozenset({"transfer-encoding", "connection", "content-length"})


@dataclass(frozen=True, eq=False)
class Call:
    """One request as it came: *name* is the action of an SQS call, or else the method and the path."""

    name: str
    body: str


@dataclass
class Hold:
    """Calls that *matches* are held, before the service sees them, or (*after*) when it has done its work."""

    matches: Callable[[Call], bool]
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


class Between:
    """Passes everything on to the service at *target*. *answered* sees each call with its answer."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.url = ""
        self.under_way: set[Call] = set()
        self.answered: Callable[[Call, bytes], None] = lambda _call, _answer: None
        self._holds: list[Hold] = []

    def hold(self, name: str, *, about: str = "", after: bool = False) -> Hold:
        """Hold the calls whose name begins so and whose body tells of *about*."""
        hold = Hold(lambda call: call.name.startswith(name) and about in call.body, after)
        self._holds.append(hold)
        return hold

    def release_all(self) -> None:
        for hold in self._holds:
            hold.release()

    def lose_all(self) -> None:
        for hold in self._holds:
            hold.lose()

    def pause(self, call: Call, *, after: bool) -> None:
        """Called in the connection's thread: stays for as long as the call is held."""
        for hold in list(self._holds):
            if hold.after is after and not hold.released.is_set() and hold.matches(call):
                hold.met.release()
                hold.released.wait(LONGEST_HOLD)
                if hold.lost:
                    raise ConnectionAbortedError


class Held:
    """The receipt handles that the proxy saw go to the worker."""

    def __init__(self, proxy: Between) -> None:
        self._proxy = proxy
        self._handles: dict[str, str] = {}
        proxy.answered = self._note

    def _note(self, call: Call, answer: bytes) -> None:
        if call.name == "ReceiveMessage":
            for message in json.loads(answer).get("Messages", []):
                self._handles[message["MessageId"]] = message["ReceiptHandle"]

    def end_leases(self, cloud: Cloud) -> None:
        """What time does for a dead process: all that it held may be had again. Spares a test the wait for it.

        A poll outlives the process that asked, and swallows messages: its end is waited for.
        """
        until("the dead process has no call under way", lambda: not self._proxy.under_way)
        handles, self._handles = list(self._handles.values()), {}
        for start in range(0, len(handles), SQS_BATCH):
            entries: list[Any] = [
                {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for place, handle in enumerate(handles[start : start + SQS_BATCH])
            ]
            cloud.sqs.change_message_visibility_batch(QueueUrl=cloud.queue_url, Entries=entries)


@contextmanager
def between(target: str) -> Iterator[Between]:
    """A proxy on a free port of the loopback."""
    proxy = Between(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            call = Call(action or f"{self.command} {self.path}", body.decode(errors="replace"))
            # A worker that was killed meanwhile takes no answer.
            proxy.under_way.add(call)
            with suppress(ConnectionError):
                proxy.pause(call, after=False)
                status, headers, answer = self._passed_on(body)
                proxy.answered(call, answer)
                proxy.pause(call, after=True)
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in NOT_PASSED_ON:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                proxy.under_way.discard(call)
                return
            proxy.under_way.discard(call)
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server calls them so

        def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = HTTPConnection(proxy.target.netloc, timeout=LONGEST_HOLD)
            try:
                headers = {
                    name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON
                }
                connection.request(self.command, self.path, body, headers)
                response = connection.getresponse()
                return response.status, response.getheaders(), response.read()
            finally:
                connection.close()

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
            proxy.release_all()
            server.shutdown()
            serving.join()
