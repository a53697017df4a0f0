"""List the registered weights; with a model's name, all that is known about its weights."""


def arguments(parser):
    parser.add_argument("names", nargs="*", metavar="NAME", help="models to describe in detail")


def run(args):
    from keras_ghostnet import specs
    from keras_ghostnet.console import new_console
    from keras_ghostnet.weights import REGISTRY

    for name in args.names:
        specs.get_spec(name)
    if not args.names:
        new_console().print(_table(REGISTRY.values()))
        return
    for name in args.names:
        entries = [entry for entry in REGISTRY.values() if entry.model == name]
        for entry in entries:
            _print_entry(entry)
        if not entries:
            print(f"{name}: no weights are published.")


def _table(entries):
    from keras_ghostnet.cli.tables import new_table

    table = new_table(
        names=("model", "weights="),
        texts=("format", "hash"),
        figures=("top-1", "top-5"),
        title="Accuracies on ImageNet in percent, as published",
    )
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
        f"  license    {entry.license}\n"
        f"  images     shorter side to {transform.resize}, bicubic; the center "
        f"{transform.size} x {transform.size}; normalized by preprocess_input\n"
        f"  file       {entry.url} ({entry.format})\n"
        f"  hash       {entry.hash or 'none published: the SHA-256 received is printed'}\n"
    )


def _percent(value):
    return "-" if value is None else f"{value:.2f}"
