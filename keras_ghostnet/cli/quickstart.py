"""Train, evaluate, export, verify, measure and report on handwritten digits: minutes on a CPU."""


def arguments(parser):
    parser.add_argument(
        "--run_dir",
        default="runs/quickstart",
        metavar="DIR",
        help="folder for everything that is written (default: runs/quickstart)",
    )


def run(args):
    from keras_ghostnet.benchmark.quickstart import quickstart

    quickstart(args.run_dir)
