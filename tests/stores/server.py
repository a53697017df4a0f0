"""A real S3-protocol server on loopback (moto's), behind a proxy with faults to order."""

import dataclasses
import http.client
import logging
import threading
import time
import urllib.parse

from tests import loopback

XML = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{message}</Message><Resource>/</Resource></Error>"""
DROPPED = {"transfer-encoding", "connection", "content-length", "server", "date"}


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to a request instead of its answer.

    Attributes:
        status: Of HTTP; None lets the request through.
        code: Of S3: `"AccessDenied"`, `"SlowDown"`.
        cut: Whether the connection is closed within the answer's body, or before an empty one.
        delay: Seconds before anything is done.
        content: The answer's body; None takes an error of `code`.
        carried_out: Whether the server carries out what it then answers `status` to.
        hides: Whether what is not there is denied, as S3 does without the permission to list.
    """

    status: int | None = None
    code: str = "InternalError"
    cut: bool = False
    delay: float = 0.0
    content: bytes | None = None
    carried_out: bool = False
    hides: bool = False


class Store(loopback.Server):
    """The server; what it was asked are triples of a method, a path and a body's length.

    Attributes:
        in_flight: Requests that are being answered, and `most_in_flight` of them so far.
    """

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        from moto.server import ThreadedMotoServer  # make test-stores installs it

        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        self.backend = self.moto.get_host_and_port()
        self.in_flight, self.most_in_flight, self.lock = 0, 0, threading.Lock()
        super().__init__(_Handler)

    def environment(self):
        """Variables with which the libraries of a process find the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_MAX_ATTEMPTS": "3",
        }

    def close(self):
        super().close()
        self.moto.stop()


class _Handler(loopback.Handler):
    state: Store

    def handle_request(self, body):
        state = self.state
        with state.lock:
            path = urllib.parse.unquote(self.path)
            count = sum((m, p) == (self.command, path) for m, p, _ in state.requests)
            state.requests.append((self.command, path, len(body)))
            state.in_flight += 1
            state.most_in_flight = max(state.most_in_flight, state.in_flight)
        # Without the lock: they may ask the store, too.
        answers = (fault(self.command, path, count) for fault in list(state.faults))
        fault = next((answer for answer in answers if answer is not None), Fault())
        try:
            time.sleep(fault.delay)
            if fault.status is not None and not fault.carried_out:
                self.answer(fault.status, {}, self._error(fault))
                return
            status, headers, content = self._forward(body)
            if fault.hides and status == 404:
                fault = dataclasses.replace(fault, status=403, code="AccessDenied")
            if fault.status is not None:
                status, headers, content = fault.status, {}, self._error(fault)
            self.answer(status, headers, content, cut=fault.cut)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with state.lock:
                state.in_flight -= 1

    def _error(self, fault):
        if fault.content is not None:
            return fault.content
        return XML.format(code=fault.code, message=f"made up: {fault.code}").encode()

    def _forward(self, body):
        connection = http.client.HTTPConnection(*self.state.backend, timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() != "expect"}
        headers.pop("Transfer-Encoding", None)
        headers["Content-Length"] = str(len(body))
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        kept = {k: v for k, v in response.getheaders() if k.lower() not in DROPPED}
        if self.command == "HEAD":
            kept["Content-Length"] = response.getheader("Content-Length", "0")
        return response.status, kept, content
