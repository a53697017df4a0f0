"""A real S3-protocol server on loopback (moto's), behind a proxy with faults to order."""

import dataclasses
import http.client
import http.server
import logging
import threading
import time
import urllib.parse

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


class Store:
    """The server and what it was asked.

    Attributes:
        endpoint: Where it listens.
        requests: Triples of a method, a path with its query, and the length of the body.
        faults: Functions `(method, path, count)`, `count` being how often this very request was
            made before, whose first answer that is not None is the `Fault`.
        in_flight: Requests that are being answered, and `most_in_flight` of them so far.
    """

    def __init__(self):
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        from moto.server import ThreadedMotoServer  # make test-stores installs it

        self.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.moto.start()
        self.backend = self.moto.get_host_and_port()
        self.requests, self.faults = [], []
        self.in_flight, self.most_in_flight, self.lock = 0, 0, threading.Lock()
        store = self

        class Handler(_Handler):
            state = store

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def asked(self, *parts):
        """How many requests had all these texts in them."""
        texts = [f"{method} {path}" for method, path, _ in self.requests]
        return sum(all(part in text for part in parts) for text in texts)

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
        self.server.shutdown()
        self.server.server_close()
        self.moto.stop()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: Store

    def log_message(self, *_):
        pass

    def do_GET(self):
        state = self.state
        body = self._body()
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
                self._answer(fault.status, {}, self._error(fault))
                return
            status, headers, content = self._forward(body)
            if fault.hides and status == 404:
                fault = dataclasses.replace(fault, status=403, code="AccessDenied")
            if fault.status is not None:
                status, headers, content = fault.status, {}, self._error(fault)
            self._answer(status, headers, content, cut=fault.cut)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with state.lock:
                state.in_flight -= 1

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

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

    def _answer(self, status, headers, content, cut=False):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        if cut:
            self.close_connection = True
            if not content:
                return  # not even the headers are sent
            content = content[: len(content) // 2]
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
