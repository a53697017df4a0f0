"""Upload a model to the Hugging Face hub: weights, preprocessing, artifacts and a model card.

MODEL is a run's folder (its best model) or a .keras file, here or in a store. All goes in one
commit, after `hf auth login`; nothing is uploaded otherwise.
"""

from keras_ghostnet.cli.options import add_trust_model
from keras_ghostnet.command import location, model, start_backend


def arguments(parser):
    parser.add_argument("model", type=location, metavar="MODEL", help="what to upload, see above")
    parser.add_argument(
        "repository", type=model, metavar="hf://ORG/NAME", help="where to; made if there is none"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be uploaded, and upload nothing"
    )
    parser.add_argument(
        "--private", action="store_true", help="make a new repository that only you see"
    )
    parser.add_argument(
        "--artifacts",
        type=location,
        metavar="DIR",
        help="folder of `ghostnet export` (default: exports in the run's folder, if it is there)",
    )
    parser.add_argument(
        "--license", metavar="NAME", help="of the model, for its card, such as apache-2.0"
    )
    add_trust_model(parser)


def run(args):
    from keras_ghostnet.console import new_console
    from keras_ghostnet.weights import hub

    hub.split(args.repository)  # refused before Keras is imported
    start_backend()
    from keras_ghostnet.cli.tables import new_table
    from keras_ghostnet.hub import push

    console = new_console()
    result = push(
        args.model,
        args.repository,
        artifacts=args.artifacts,
        license=args.license,
        private=args.private,
        dry_run=args.dry_run,
        trust_model=args.trust_model,
    )
    table = new_table(names=("file",), figures=("bytes",))
    for name, size in result.files.items():
        table.add_row(name, f"{size:,}")
    console.print(table)
    for note in result.notes:
        console.print(note, soft_wrap=True)
    total = f"{len(result.files)} files, {sum(result.files.values()):,} bytes"
    if result.url is None:
        console.print(f"{total} for {args.repository}; nothing was uploaded.", soft_wrap=True)
    else:
        console.print(f"Done: {total}, {result.url}", soft_wrap=True)
