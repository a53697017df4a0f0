"""List the models with their parameters and multiply-adds."""

from rich import box
from rich.console import Console
from rich.table import Table


def arguments(parser):
    parser.add_argument(
        "--size", type=int, default=224, help="side of the images in pixels (default: 224)"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")


def run(args):
    from keras_ghostnet import count_macs, count_parameters, create_model, list_models
    from keras_ghostnet.weights import registry

    table = Table(box=box.SIMPLE_HEAD, title=f"Models at {args.size} x {args.size}")
    table.add_column("name", overflow="fold")
    table.add_column("parameters", justify="right")
    table.add_column("MACs (M)", justify="right")
    table.add_column("weights", overflow="fold")
    for name in args.names or list_models():
        model = create_model(name, input_shape=(args.size, args.size, 3))
        table.add_row(
            name,
            f"{count_parameters(model):,}",
            f"{count_macs(model) / 1e6:,.2f}",
            ", ".join(registry.tags(name)),
        )
    Console().print(table)
