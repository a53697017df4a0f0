"""Serves a folder on this machine alone."""

import contextlib
import functools
import http.server
import pathlib
import threading

TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}

MAX_PORT = 65535


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a word on the terminal."""

    def guess_type(self, path):
        """The type of a file, whatever the system's own table says."""
        return TYPES.get(pathlib.PurePath(path).suffix) or super().guess_type(path)

    def log_message(self, *args):
        """Says nothing."""

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Says nothing: a browser that was closed in the middle of a file."""


def require_free(port):
    """Refuses a port that `serving` could not take, before long work.

    Raises:
        OSError: If it is taken, or not for this user.
        ValueError: If it is no port.
    """
    if not 0 <= port <= MAX_PORT:
        raise ValueError(f"A port is a number from 1 to {MAX_PORT}. Received: {port}.")
    try:
        _Server(("127.0.0.1", port), Handler).server_close()
    except OSError as error:
        raise OSError(
            f"Port {port} cannot be served: {error.strerror}. Name another with --port, or none, "
            "which takes a free one."
        ) from None


@contextlib.contextmanager
def serving(folder, handler=Handler, port=0):
    """Serves a folder on 127.0.0.1 while the body runs.

    Args:
        folder: What is served.
        handler: The class that answers.
        port: 0 takes a free one.

    Yields:
        The address, which ends in a slash.

    Raises:
        OSError: If the port is taken.
    """
    answer = functools.partial(handler, directory=str(folder))
    with _Server(("127.0.0.1", port), answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
