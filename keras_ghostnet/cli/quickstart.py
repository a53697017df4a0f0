"""Train, evaluate, export, verify, measure and report on handwritten digits: minutes on a CPU."""

from keras_ghostnet.command import path, start_backend


def arguments(parser):
    parser.add_argument(
        "--run-dir",
        default="runs/quickstart",
        type=path,
        metavar="DIR",
        help="folder for everything that is written (default: runs/quickstart)",
    )


def run(args):
    from keras_ghostnet.console import new_console

    start_backend()
    from keras_ghostnet.benchmark import quickstart

    quickstart(args.run_dir, console=new_console())
