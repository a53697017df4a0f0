"""Put ghost modules in the place of a network's convolutions.

MODEL is a .keras file or a run's folder (its best model) of a network with plain convolutions; it
and FILE are here or in a store. With SOURCE, as for `ghostnet train`, the ghost modules get a warm
start from the trained convolutions; without, random weights. The table shows what each convolution
cost before and costs now, or why it is left as it is. Train FILE afterwards:
ghostnet train --recipe fine_tuning --set model=FILE
"""

import os
import shlex

from keras_ghostnet import files, stores
from keras_ghostnet.cli.options import add_image_options, add_trust_model, names
from keras_ghostnet.command import location, start_backend
from keras_ghostnet.model_reference import is_path, resolve_model

IMAGES, PIXELS = 200, 4_000_000  # of the warm start, at most, unless the user says otherwise
LEAST = 16


def arguments(parser):
    parser.add_argument("model", type=location, metavar="MODEL", help="the network, see above")
    parser.add_argument(
        "--out", required=True, type=location, metavar="FILE", help=".keras file to write"
    )
    parser.add_argument(
        "--data", type=location, metavar="SOURCE", help="images for the warm start, see above"
    )
    parser.add_argument(
        "--images",
        type=int,
        metavar="N",
        help="how many of SOURCE's training images to take (default: 200, or fewer large ones)",
    )
    parser.add_argument(
        "--ratio",
        type=int,
        default=2,
        metavar="N",
        help="feature maps per intrinsic map, s in the paper (default: 2)",
    )
    parser.add_argument(
        "--cheap-kernel-size",
        type=int,
        default=3,
        metavar="N",
        help="of the cheap operations, d in the paper, odd (default: 3)",
    )
    parser.add_argument(
        "--select",
        type=names,
        metavar="A,B,...",
        help="names of the convolutions to replace (default: those that are worth it)",
    )
    add_image_options(parser)
    add_trust_model(parser)


def run(args):
    from keras_ghostnet.console import new_console

    if not args.out.endswith(".keras"):
        raise ValueError(f"--out must name a .keras file. Received: {args.out}")
    reference = resolve_model(args.model, args.trust_model)
    if not is_path(args.model):
        raise ValueError(
            f"{args.model} is made of ghost modules or stages already. Name a .keras file, or a "
            "run's folder, of a network with plain convolutions."
        )
    if args.images is not None and args.images < 1:
        raise ValueError(f"--images must be 1 or more. Received: {args.images}")
    if not stores.is_remote(args.out):
        files.require_place(args.out)
    if os.path.realpath(args.out) == os.path.realpath(reference.origin):
        raise ValueError(f"--out would replace the network itself, {args.out}. Name another file.")
    start_backend()
    from keras_ghostnet import ghost_costs, ghostify

    console = new_console()
    model = reference.load(args.image_size)
    if any(None in tensor.shape[1:] for tensor in model.inputs):
        raise ValueError(
            f"{model.name} takes images of any size, of which nothing can be counted. Say "
            "--image-size."
        )
    ghost = ghostify(
        model,
        args.ratio,
        args.cheap_kernel_size,
        args.select,
        _calibration(args, reference, model) if args.data else None,
        console=console,
    )
    try:
        table = _table(ghost_costs(model, ghost))
    except ValueError as error:  # of layers that nothing is known of, it works nevertheless
        table = f"No table: {error}"
    with stores.writable_file(args.out) as place, files.replacing(place) as partial:
        ghost.save(partial)
    console.print(table)
    start = "a warm start" if args.data else "random weights"
    console.print(f"{args.out}: {ghost.name} with ghost modules, {start}", soft_wrap=True)
    file = shlex.quote(f"model={args.out}")
    console.print(
        f"Next: ghostnet train --recipe fine_tuning --set {file} --data SOURCE --run-dir DIR",
        soft_wrap=True,
    )


def _calibration(args, reference, model):
    """Training images as the model takes them, prepared as in evaluation."""
    from keras_ghostnet.export.images import from_source
    from keras_ghostnet.model_input import resolve_input

    _, *size, channels = model.input_shape if len(model.inputs) == 1 else (None, None)
    if len(size) != 2 or None in size or channels != 3:
        raise ValueError(
            f"{model.name} takes {model.input_shape}, not RGB images of a fixed size, which --data "
            "gives. Warm start it in Python: keras_ghostnet.ghostify(model, calibration=...)."
        )
    count = args.images or max(LEAST, min(IMAGES, PIXELS // (size[0] * size[1])))
    images = from_source(
        args.data, "train", size, crop=reference.crop, seed=reference.seed, count=count
    )
    return images.prepared(resolve_input(model, args.input))


def _table(costs):
    """Each convolution, the other layers, and the whole."""
    from keras_ghostnet.cli.tables import new_table

    figures = ("parameters", "now", "MACs (M)", "now")
    table = new_table(names=("convolution",), texts=("becomes",), figures=figures)
    for row in costs:
        cells = [f"{count:,}" for count in row.parameters]
        table.add_row(row.layer, row.note, *cells, *(f"{macs / 1e6:,.2f}" for macs in row.macs))
    return table
