"""Options that several commands have."""

import argparse

from keras_ghostnet.command import location


def add_image_options(parser):
    """Adds `--image-size` and `--input`, which say what a model takes."""
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="N",
        help="side of the images in pixels (default: the model's, or the run's)",
    )
    parser.add_argument(
        "--input",
        choices=("normalized", "pixels"),
        help="what the model takes: images as preprocess_input makes them, or pixels from 0 to 255 "
        "if it normalizes them itself (default: detected)",
    )


def add_trust_model(parser):
    """Adds `--trust-model`, which lets a model's file run code."""
    parser.add_argument(
        "--trust-model",
        action="store_true",
        help="load a model's file also if it can run code, such as a Lambda layer: for files of "
        "your own",
    )


def names(text):
    """Names with commas between them, a tuple."""
    found = tuple(location(name.strip()) for name in text.split(",") if name.strip())
    if not found:
        raise argparse.ArgumentTypeError("names nothing")
    return found
