"""List the registered weights; with a model's name, all that is known about its weights."""

from rich import box
from rich.console import Console
from rich.table import Table


def arguments(parser):
    parser.add_argument("names", nargs="*", metavar="NAME", help="models to tell more about")


def run(args):
    from keras_ghostnet import specs
    from keras_ghostnet.weights import REGISTRY

    for name in args.names:
        specs.find(name)
    if not args.names:
        Console().print(_table(REGISTRY.values()))
        return
    for name in args.names:
        entries = [entry for entry in REGISTRY.values() if entry.model == name]
        for entry in entries:
            _print_entry(entry)
        if not entries:
            print(f"{name}: no weights are published.")


def _table(entries):
    table = Table(box=box.SIMPLE_HEAD, title="Accuracies on ImageNet in percent, as published")
    for column in ("model", "weights=", "format", "hash"):
        table.add_column(column, overflow="fold")
    for column in ("top-1", "top-5"):
        table.add_column(column, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(
            entry.model,
            entry.tag,
            entry.format,
            entry.hash.partition(":")[0] if entry.hash else "-",
            _percent(entry.top1),
            _percent(entry.top5),
        )
    return table


def _print_entry(entry):
    transform = entry.transform
    print(
        f"{entry.model}, weights={entry.tag!r}\n"
        f"  accuracy   top-1 {_percent(entry.top1)}, top-5 {_percent(entry.top5)} (published)\n"
        f"  source     {entry.source}\n"
        f"  licence    {entry.licence}\n"
        f"  images     shorter side to {transform.resize}, {transform.interpolation}, centre "
        f"{transform.size}; mean {transform.mean}, std {transform.std}\n"
        f"  file       {entry.url} ({entry.format})\n"
        f"  hash       {entry.hash or 'none published: the SHA-256 received is printed'}\n"
    )


def _percent(value):
    return "-" if value is None else f"{value:.2f}"
