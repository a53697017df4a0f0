"""Classify images or their pixels, by a model or an exported artifact.

MODEL is a run's folder (its best model), a .keras file, a name of `ghostnet models`, which is taken
with its ImageNet weights, hf://ORG/NAME of the Hugging Face hub, or what `ghostnet export` wrote: a
.tflite or .onnx file or the folder of a SavedModel's version, run in its own runtime. Files and
folders may be in a store. IMAGE is a file, or a folder of any depth.

Printed are the most probable classes of each image; of a model that classifies pixels, the classes
of most of them.
"""

import contextlib
import os

from keras_ghostnet import files, stores
from keras_ghostnet.cli.options import add_image_options, add_trust_model
from keras_ghostnet.command import location, model, start_backend
from keras_ghostnet.model_reference import resolve_model

ARTIFACTS = (
    "Or what `ghostnet export` wrote: a .tflite or .onnx file, or the folder of a SavedModel's "
    "version."
)


def arguments(parser):
    parser.add_argument("model", type=model, metavar="MODEL", help="what classifies, see above")
    parser.add_argument(
        "images", type=location, metavar="IMAGE", nargs="+", help="image files and folders"
    )
    parser.add_argument(
        "--top", type=int, default=5, metavar="N", help="classes for each image (default: 5)"
    )
    add_image_options(parser)
    add_trust_model(parser)
    parser.add_argument(
        "--out",
        type=location,
        metavar="FILE",
        help="write all to a .csv file, or to an .html page with thumbnails (and masks), on which "
        "those come first that contradict the folder that an image lies in",
    )
    parser.add_argument(
        "--masks",
        type=location,
        metavar="DIR",
        help="of a model that classifies pixels: write a PNG of classes for each image",
    )


def run(args):
    from keras_ghostnet.console import new_console

    # What is there, or in a store, may be an artifact.
    if not os.path.exists(args.model) and not stores.is_remote(args.model):
        try:
            # Whatever is no model is refused before Keras is imported.
            args.model = resolve_model(args.model).text
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{error} {ARTIFACTS}") from error
    start_backend()
    from keras_ghostnet.cli.tables import new_table
    from keras_ghostnet.export import prediction_report
    from keras_ghostnet.export.prediction import predict

    with contextlib.ExitStack() as stack:
        if args.out:
            out = stack.enter_context(stores.writable_file(args.out))
            prediction_report.require_writable(out)
        if args.masks:
            masks = stack.enter_context(stores.mirrored(args.masks, "--masks"))
            files.require_writable(masks, "--masks")
        predictions = predict(
            args.model,
            args.images,
            args.top,
            image_size=args.image_size,
            input=args.input,
            trust_model=args.trust_model,
        )
        if args.out:
            prediction_report.write_report(out, predictions)
        if args.masks:
            prediction_report.write_masks(masks, predictions)
    figure = prediction_report.figure_of(predictions)
    table = new_table(texts=("image", "class"), figures=(figure,))
    for each in predictions:
        image = each.image
        for name, probability in each.classes:
            table.add_row(image, name, f"{probability:.1%}")
            image = ""
    console = new_console()
    console.print(table)
    labeled = [each for each in predictions if each.label is not None]
    if labeled:
        right = sum(not each.is_wrong for each in labeled)
        console.print(f"{right} of {len(labeled)} are of the class that their folder names.")
    for written in filter(None, (args.out, args.masks)):
        console.print(f"Done: {written}", soft_wrap=True)
