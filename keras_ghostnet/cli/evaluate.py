"""Evaluate a model on a source: loss, top-1 and top-5, or mean IoU of maps, every image once.

MODEL is a run's folder (its best model), a .keras file, both here or in a store, a name of
`ghostnet models`, which is taken with its ImageNet weights, or hf://ORG/NAME of the Hugging Face
hub. SOURCE is as for `ghostnet train`.
"""

import contextlib
import json
import math

from keras_ghostnet import extras, files, stores
from keras_ghostnet.cli.options import add_image_options, add_trust_model
from keras_ghostnet.command import location, model, start_backend
from keras_ghostnet.model_reference import resolve_model
from keras_ghostnet.quiet import quiet


def arguments(parser):
    parser.add_argument("model", type=model, metavar="MODEL", help="what to evaluate, see above")
    parser.add_argument(
        "--data", required=True, type=location, metavar="SOURCE", help="images, see above"
    )
    parser.add_argument(
        "--split",
        help="train, val, test or all (default: val; all of a folder without one, unless MODEL was "
        "trained on it)",
    )
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default: 64")
    parser.add_argument(
        "--crop",
        type=float,
        metavar="FRACTION",
        help="fraction of the resized image's shorter side to keep (default: the run's, or 0.875)",
    )
    add_image_options(parser)
    add_trust_model(parser)
    parser.add_argument("--seed", type=int, help="of the split (default: the run's, or 0)")
    parser.add_argument("--strategy", default="auto", help="as for `ghostnet train`")
    parser.add_argument(
        "--bad-limit", type=float, metavar="FRACTION", help="as for `ghostnet train`"
    )
    parser.add_argument(
        "--output", type=location, metavar="FILE", help="JSON file to write the figures to"
    )
    parser.add_argument(
        "--picture",
        type=location,
        metavar="FILE",
        help="PNG to draw the confusion matrix and the most confident mistakes to",
    )


def run(args):
    if args.picture:
        extras.require("matplotlib", "PIL", purpose="--picture", extra="train")
    with contextlib.ExitStack() as stack:
        for option in ("output", "picture"):
            if given := getattr(args, option):
                place = stack.enter_context(stores.writable_file(given, f"--{option}"))
                files.require_place(place, f"--{option}")
                setattr(args, option, place)
        _evaluate(args)


def _evaluate(args):
    from keras_ghostnet.console import draw_picture, new_console, print_error

    # Whatever is no model is refused before Keras is imported.
    args.model = resolve_model(args.model).text
    start_backend()
    from keras_ghostnet.cli.tables import new_table
    from keras_ghostnet.training import evaluate
    from keras_ghostnet.training.progress import TOP

    console = new_console()  # the real one, before it is held back
    with quiet(unless=()):
        result = evaluate(
            args.model,
            args.data,
            split=args.split,
            batch_size=args.batch_size,
            crop=args.crop,
            image_size=args.image_size,
            input=args.input,
            trust_model=args.trust_model,
            seed=args.seed,
            strategy=args.strategy,
            bad_limit=args.bad_limit,
            console=console,
        )
    of_pixels = result.source.of_pixels
    figures = {"images": f"{result.examples:,}", "loss": f"{result.loss:.4f}"}
    if of_pixels:
        figures |= {"pixels": f"{result.accuracy:.2%}", "mean IoU": f"{result.mean_iou:.2%}"}
    else:
        figures["top-1"] = f"{result.accuracy:.2%}"
        if len(result.source.class_names) > TOP:  # of fewer, it says nothing
            figures["top-5"] = f"{result.top5:.2%}"
    table = new_table(figures=figures)
    table.add_row(*figures.values())
    console.print(table)
    if of_pixels:
        console.print(_class_table(result))
    if args.output:
        with files.replacing(args.output) as partial:
            partial.write_text(json.dumps(_content(result), indent=2) + "\n")
    if args.picture:
        from keras_ghostnet.training import pictures

        draw_picture(args.picture, print_error, pictures.draw_evaluation, result)


def _class_table(result):
    """A row for each class of pixels: its intersection over union, and its share of them."""
    from keras_ghostnet.cli.tables import new_table

    table = new_table(texts=("class",), figures=("IoU", "pixels"))
    shares = result.confusion.sum(axis=1) / result.confusion.sum()
    for name, iou, share in zip(result.source.class_names, result.iou, shares, strict=True):
        table.add_row(
            files.printable(name), "-" if math.isnan(iou) else f"{iou:.2%}", f"{share:.2%}"
        )
    return table


def _content(result):
    """The figures as `--output` has them: of maps, those of every class, too."""
    if not result.source.of_pixels:
        return result.metrics
    values = [None if math.isnan(iou) else iou for iou in result.iou.tolist()]
    return {**result.metrics, "iou": dict(zip(result.source.class_names, values, strict=True))}
