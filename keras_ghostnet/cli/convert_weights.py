"""Convert a public checkpoint to a Keras file and print what was mapped.

IN may be .safetensors, .pth, .pdparams, Keras-2 .h5, .weights.h5 or .keras; the network is
detected from its contents. OUT ends in .keras (model and weights) or .weights.h5 (weights).
"""

from keras_ghostnet.command import location, start_backend


def arguments(parser):
    parser.add_argument("input", type=location, metavar="IN", help="checkpoint to read")
    parser.add_argument("output", type=location, metavar="OUT", help="file to write")


def run(args):
    from keras_ghostnet.console import new_console

    start_backend()
    from keras_ghostnet import convert_weights
    from keras_ghostnet.cli.tables import new_table

    model, assignments = convert_weights(args.input, args.output)
    console = new_console()
    table = new_table(
        texts=("tensor in the checkpoint", "variable of the model"), figures=("shape",)
    )
    for assignment in assignments:
        shape = " x ".join(map(str, assignment.value.shape))
        table.add_row(assignment.tensor, assignment.variable.path, shape)
    console.print(table)
    console.print(
        f"{args.input}: {model.name} with {model.output_shape[-1]} outputs, "
        f"{len(assignments)} tensors, each used once. Written to {args.output}",
        soft_wrap=True,
        highlight=False,
    )
