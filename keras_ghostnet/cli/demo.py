"""Try a model in the browser: exports a page that classifies pictures, and serves it here.

MODEL is as for `ghostnet export`. Pictures stay in the browser, which runs the model itself. The
page is served on 127.0.0.1, to this machine alone; Ctrl-C ends it.
"""

import contextlib
import pathlib
import tempfile
import threading

from keras_ghostnet.cli.options import add_trust_model
from keras_ghostnet.command import location, model, path, start_backend
from keras_ghostnet.model_reference import resolve_model


def arguments(parser):
    parser.add_argument("model", type=model, metavar="MODEL", help="a run's folder, a .keras file")
    parser.add_argument(
        "--out", type=path, metavar="DIR", help="folder to keep the page in (default: none)"
    )
    parser.add_argument(
        "--data",
        type=location,
        metavar="SOURCE",
        help="images to verify on (default: the run's own)",
    )
    parser.add_argument(
        "--vendor",
        type=path,
        metavar="DIR",
        help="folder with npm's packages of LiteRT.js, to work offline",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="of the page (default: a free one)"
    )
    add_trust_model(parser)


def run(args):
    from keras_ghostnet.console import new_console
    from keras_ghostnet.export.web.server import require_free, serving

    require_free(args.port)
    # Whatever is no model is refused before Keras is imported.
    args.model = resolve_model(args.model).text
    start_backend()
    from keras_ghostnet.cli.tables import notes_of
    from keras_ghostnet.export.exporting import export

    console = new_console()
    options = {} if args.vendor is None else {"vendor": args.vendor}
    with tempfile.TemporaryDirectory() as temporary:
        out = pathlib.Path(args.out or temporary)
        (result,) = export(
            args.model, out, ["web"], data=args.data, trust_model=args.trust_model,
            console=console, **options,
        )  # fmt: skip
        for line in notes_of([result]):
            console.print(line)
        with serving(result.path, port=args.port) as address:
            console.print(f"{address} has the page. Ctrl-C ends it.", soft_wrap=True)
            with contextlib.suppress(KeyboardInterrupt):
                wait()


def wait():
    """Waits for Ctrl-C."""
    threading.Event().wait()
