"""An HTTP server on loopback for tests: it notes what it is asked, and has faults to order."""

import http.server
import threading


class Server:
    """Runs in a thread of its own.

    Args:
        handler: A `Handler`, whose `state` is to be this server.

    Attributes:
        endpoint: Where it listens.
        requests: Tuples that begin with a method and a path.
        faults: Functions `(method, path, count)`, `count` being how often this very request was
            made before, whose first answer that is not None is what happens instead.
    """

    def __init__(self, handler):
        self.requests, self.faults = [], []
        kind = type(handler.__name__, (handler,), {"state": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def asked(self, *parts):
        """How many requests had all these texts in them."""
        texts = [" ".join(request[:2]) for request in self.requests]
        return sum(all(part in text for part in parts) for text in texts)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every method by `handle_request`, which a subclass has."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.handle_request(self._read_body())

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status, headers, content, cut=False):
        """Sends an answer; if it is to be cut, half of its body, or nothing of one without."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        if cut:
            self.close_connection = True
            if not content:
                return
            content = content[: len(content) // 2]
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
