"""List the models with their parameters and multiply-adds."""

from rich import box
from rich.console import Console
from rich.table import Table


def arguments(parser):
    parser.add_argument(
        "--size", type=int, help="side of the images in pixels (default: 224, or 32 for CIFAR's)"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="models (default: all)")


def run(args):
    from keras_ghostnet import count_macs, count_parameters, create_model, list_models
    from keras_ghostnet.weights import registry

    shape = {} if args.size is None else {"input_shape": (args.size, args.size, 3)}
    table = Table(box=box.SIMPLE_HEAD, title="Models")
    table.add_column("name", overflow="fold")
    table.add_column("pixels", justify="right")
    table.add_column("parameters", justify="right")
    table.add_column("MACs (M)", justify="right")
    table.add_column("weights", overflow="fold")
    for name in args.names or list_models():
        model = create_model(name, **shape)
        table.add_row(
            name,
            str(model.input_shape[1]),
            f"{count_parameters(model):,}",
            f"{count_macs(model) / 1e6:,.2f}",
            ", ".join(registry.tags(name)),
        )
    Console().print(table)
