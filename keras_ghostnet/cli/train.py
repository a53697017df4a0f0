"""Train a network by a recipe; the same command resumes a run that was interrupted.

SOURCE is a folder of images (train/CLASS/*, val/CLASS/*; or CLASS/*, a fraction of which is held
out), for the recipe `segmentation` one of images and masks (train/images/*, train/masks/*), a
folder of TFRecords that `ghostnet make-records` wrote, tfds:NAME, or digits.
"""

import contextlib

from keras_ghostnet import stores
from keras_ghostnet.cli.options import add_trust_model
from keras_ghostnet.command import location, start_backend
from keras_ghostnet.quiet import quiet

STOPPED, LOST = 130, 75  # exit codes: as shells have it; EX_TEMPFAIL, for which engines start again


def arguments(parser):
    parser.add_argument("--recipe", required=True, metavar="NAME", help="see `ghostnet recipes`")
    parser.add_argument(
        "--data", required=True, type=location, metavar="SOURCE", help="images, see above"
    )
    parser.add_argument(
        "--run-dir",
        required=True,
        type=location,
        metavar="DIR",
        help="folder for all results, here or in a store: s3://BUCKET/RUN",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of the recipe; may be repeated",
    )
    parser.add_argument(
        "--strategy",
        default="auto",
        help="auto, one_device, mirrored, multi_worker or tpu (default: auto)",
    )
    parser.add_argument(
        "--data-service",
        metavar="HOST:PORT",
        help="hosts that prepare the training images, with commas: `ghostnet data-service`",
    )
    parser.add_argument(
        "--deterministic", action="store_true", help="slower, with bit-identical results"
    )
    parser.add_argument(
        "--checkpoint-steps",
        type=int,
        default=1000,
        metavar="N",
        help="steps between checkpoints, besides those after every epoch (default: 1000)",
    )
    parser.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=15.0,
        metavar="N",
        help="most minutes between checkpoints (default: 15)",
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=3,
        metavar="N",
        help="checkpoints to keep, besides the best (default: 3)",
    )
    parser.add_argument(
        "--bad-limit",
        type=float,
        metavar="FRACTION",
        help="fraction of the images that may be unusable before the run stops (default: 0.001, "
        "or five images if that is more)",
    )
    add_trust_model(parser)


def run(args):
    from keras_ghostnet.console import new_console, print_error
    from keras_ghostnet.training import recipes

    recipe = recipes.override(recipes.get_recipe(args.recipe), args.set)
    start_backend(cluster=True)
    from keras_ghostnet.training import Stopped, train

    console = new_console()  # the real one, before it is held back
    try:
        with quiet(unless=()), _teacher(recipe.teacher) as teacher:
            train(
                recipe,
                args.data,
                args.run_dir,
                strategy=args.strategy,
                deterministic=args.deterministic,
                checkpoint_steps=args.checkpoint_steps,
                checkpoint_minutes=args.checkpoint_minutes,
                keep=args.keep,
                bad_limit=args.bad_limit,
                data_service=args.data_service,
                teacher=teacher,
                trust_model=args.trust_model,
                console=console,
            )
    except Stopped as stopped:
        print(stopped)
        return STOPPED
    except ConnectionError as error:  # another worker is gone, or never came
        print_error(error)
        return LOST
    except stores.StoreError as error:
        print_error(error)
        return LOST if error.is_temporary else 1


def _teacher(text):
    """A context manager: the teacher, if it is an exported file; else None."""
    if text is None:
        return contextlib.nullcontext()
    from keras_ghostnet.export import artifact_classifier, open_teacher

    artifact = artifact_classifier.find_artifact(text)
    return contextlib.nullcontext() if artifact is None else open_teacher(text)
