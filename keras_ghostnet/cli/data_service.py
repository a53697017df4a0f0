"""Prepare training images on this host for runs on others, which lack processor cores.

`ghostnet train --data-service HOST:PORT` of a run names it. The host has to see the images under
the same path. Whoever reaches the port can have TensorFlow run graphs here, which read and write
files: open it to your own machines alone.
"""

from keras_ghostnet.command import start_backend
from keras_ghostnet.quiet import quiet


def arguments(parser):
    parser.add_argument("--port", type=int, default=5050, metavar="N", help="default: 5050")


def run(args):
    from keras_ghostnet.console import new_console

    start_backend()
    from keras_ghostnet.training.data.service import Server

    console = new_console()
    with quiet(unless=()):
        server = Server(args.port)
        console.print(f"Preparing images for --data-service {server.address}", soft_wrap=True)
        server.wait()
