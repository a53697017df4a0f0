"""A page's model in a headless Chromium, which is told to send what it computes."""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import tempfile

from keras_ghostnet.export.web import page_files
from keras_ghostnet.export.web.server import Handler, serving

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
INSTALL = "install Chromium (Debian: apt-get install chromium) or Chrome, and export again"
SECONDS = 180  # in which it is to have run all images
LARGEST = 1 << 28  # bytes of an answer
OPTIONS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--mute-audio",
)  # fmt: skip
# What a page is to do in the place of `app.js`, and what it sends then; its modules, policy and
# model are its own.
SCRIPT = """
const errors = [];
const note = (...words) => errors.push(words.map(String).join(" "));
addEventListener("error", (event) => note(event.message));
addEventListener("unhandledrejection", (event) => note(event.reason));
addEventListener("securitypolicyviolation", (event) => note("refused", event.blockedURI));
console.error = note;
const answer = { errors };
try {
  answer.result = await (async () => { @WORK@ })();
} catch (error) {
  note(error?.message ?? error);
}
await fetch("answer", { method: "POST", body: JSON.stringify(answer) });
"""
RUN = """
const { Classifier } = await import("./classifier.js");
const classifier = await Classifier.load(), [height, width] = classifier.size;
const bytes = new Uint8ClampedArray(await (await fetch("pixels.bin")).arrayBuffer());
const length = 3 * height * width, outputs = [];
for (let start = 0; start < bytes.length; start += length) {
  outputs.push(Array.from(await classifier.run(bytes.subarray(start, start + length))));
}
return outputs;
"""


class BrowserError(ValueError):
    """A browser cannot run the page, or says that something is wrong with it."""


def find():
    """The path of a Chromium or Chrome; None if there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if pathlib.Path(MAC).exists() else None)


def outputs_of(folder, pixels):
    """What the model of a page outputs in the browser, a list of rows of numbers.

    Args:
        folder: The page's.
        pixels: uint8 `(n, height, width, 3)` of the model's size.

    Raises:
        BrowserError: As `ask`.
    """
    return ask(folder, RUN, {"/pixels.bin": pixels.tobytes()})


def ask(folder, work, served=None, options=()):
    """Has a page do something in the browser.

    Args:
        folder: The page's.
        work: JavaScript, the body of an asynchronous function; what it returns is returned.
        served: Besides the page's files, bytes by path.
        options: Of Chromium, besides.

    Raises:
        BrowserError: If the browser does not answer, or anything is wrong: an exception, a message
            of an error on the console, something that the page's policy refuses.
    """
    html = (pathlib.Path(folder) / page_files.HTML).read_text("utf-8")
    served, answers = dict(served or {}), queue.Queue()
    served["/verify.html"] = html.replace('src="app.js"', 'src="verify.js"').encode()
    served["/verify.js"] = SCRIPT.replace("@WORK@", work).encode()
    with serving(folder, _handler(served, answers)) as address:
        answer = _answer(f"{address}verify.html", answers, options)
    if answer["errors"]:
        text = " ".join(answer["errors"][0].split())[:300]
        raise BrowserError(f"The page does not run in Chromium: {text}")
    return answer["result"]


def command(address, profile, options=()):
    """What starts a headless browser with a page."""
    # As root, its sandbox does not start; the page is one that an export has just written.
    alone = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    return [find(), *OPTIONS, *alone, *options, f"--user-data-dir={profile}", address]


def _answer(address, answers, options):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            command(address, profile, options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return json.loads(answers.get(timeout=SECONDS))
        except queue.Empty:
            raise BrowserError(f"Chromium did not run the page within {SECONDS} s.") from None
        finally:
            _end(process)


def _end(process):
    """Ends a browser with the processes that it started."""
    if os.name == "posix":
        os.killpg(process.pid, 9)
    else:
        process.kill()
    process.wait()


def _handler(served, answers):
    class Verifying(Handler):
        def do_GET(self):
            content = served.get(self.path)
            if content is None:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", self.guess_type(self.path))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self):
            answers.put(self.rfile.read(min(LARGEST, int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    return Verifying
