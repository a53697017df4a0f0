"""One training run in one folder: started, resumed where it stopped, and finished."""

import dataclasses
import functools
import json
import os
import time
from collections.abc import Iterable

import keras
import tensorflow as tf
from rich.console import Console

from keras_ghostnet import extras, files, stores
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.model_input import NORMALIZED
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.training import classifiers, distribution, hub_commits, recipes, run_folder
from keras_ghostnet.training.checkpoints import Checkpoints, State, best_epoch
from keras_ghostnet.training.data import Pipeline, service
from keras_ghostnet.training.data.sources import open_sources, require_labels
from keras_ghostnet.training.evaluation import Evaluator
from keras_ghostnet.training.loop import Loop
from keras_ghostnet.training.networks import load_network
from keras_ghostnet.training.progress import TrainingProgress, loss_note
from keras_ghostnet.training.recipes.class_weights import weights_of_classes
from keras_ghostnet.training.settings import Count, Fraction, Positive, within_ranges
from keras_ghostnet.training.step_monitor import NO_SUMS, StepMonitor
from keras_ghostnet.training.stopping import Stopped, on_signals
from keras_ghostnet.training.store_folder import explained, open_run_folder
from keras_ghostnet.training.teachers import Teacher, resolve_teacher

SPLITS = ("train", "val")
SHOWN = 10  # classes, with their weights


@keras_defaults()
def train(
    recipe: recipes.Recipe | str,
    data: str | os.PathLike,
    run_dir: str | os.PathLike,
    *,
    settings: Iterable[str] = (),
    strategy: str = "auto",
    deterministic: bool = False,
    checkpoint_steps: int = 1000,
    checkpoint_minutes: float = 15.0,
    keep: int = 3,
    bad_limit: float | None = None,
    data_service: str | None = None,
    teacher: keras.Model | Teacher | None = None,
    trust_model: bool = False,
    console: Console | None = None,
) -> dict[str, dict[str, float]]:
    """Trains a network by a recipe, or resumes where the same call stopped.

    What the folder holds is listed in `keras_ghostnet.training.run_folder`. Only the chief worker
    writes, but for `bad_examples.csv`, to which every worker adds what it meets. Keras' and
    TensorFlow's seeds are set for the whole process.

    Args:
        recipe: A `Recipe`, or the name of one.
        data: A source as `keras_ghostnet.training.data.open_source` takes it.
        run_dir: The folder, here or in a store. A run in it is resumed, also if its images have
            moved or `epochs` has grown: then the learning rate follows the schedule of the longer
            run from there on. One of another recipe or of other images is refused.
        settings: Changes of the recipe, strings `"key=value"`.
        strategy: A name of `keras_ghostnet.training.distribution.STRATEGIES`.
        deterministic: Whether to take slower ops whose results do not vary, in the whole process:
            then a resumed run ends with the very weights of one that was never stopped.
        checkpoint_steps: Steps between checkpoints, beside those at the end of every epoch.
        checkpoint_minutes: Minutes after which there is a checkpoint at the latest.
        keep: How many of the last checkpoints are kept, beside the best one.
        bad_limit: As `keras_ghostnet.training.data.Pipeline`.
        data_service: Addresses `HOST:PORT`, with commas between them, of hosts that prepare the
            training images, `ghostnet data-service`; None prepares them here. Batches are the same.
            If one does not answer for a minute, the process ends with code 75: TensorFlow would
            wait for it, deaf to signals.
        teacher: A Keras classifier or `keras_ghostnet.export.open_teacher(FILE)` to distill from,
            instead of what the recipe's `teacher` names; None for that.
        trust_model: Whether the network's and the teacher's files may run code, as
            `keras_ghostnet.model_file.load_model`.
        console: Where the chief worker shows progress and results; None prints nothing.

    Returns:
        A dictionary: what `metrics.json` holds, the rows of the `best` and the `last` epoch.

    Raises:
        ImportError: If a package is missing that only training needs.
        ValueError: If recipe, settings, data or strategy do not fit, the folder is another run's,
            or too many images are unusable.
        OSError: If data cannot be read, the folder cannot be written (the last checkpoint
            holds), another process trains in it, or it holds results without checkpoints.
        Stopped: On SIGTERM or SIGINT, after a checkpoint was written.
        FloatingPointError: If the loss is not finite any more; the last checkpoint holds.
        ConnectionError: If another worker is gone.
    """
    if isinstance(recipe, str):
        recipe = recipes.get_recipe(recipe)
    run = Run(
        recipes.override(recipe, settings),
        data,
        run_dir,
        strategy=strategy,
        deterministic=deterministic,
        checkpoint_steps=checkpoint_steps,
        checkpoint_minutes=checkpoint_minutes,
        keep=keep,
        bad_limit=bad_limit,
        data_service=data_service,
        teacher=teacher,
        trust_model=trust_model,
        console=console,
    )
    metrics = run.execute()
    run.progress.results(metrics, run.folder.name)
    return metrics


class Run:
    """What `train` carries out, for those who want the run's parts.

    Args:
        recipe: The `Recipe`.

    The other arguments, and what is raised, are those of `train`.
    """

    @within_ranges
    @explained
    def __init__(
        self,
        recipe: recipes.Recipe,
        data: str | os.PathLike,
        run_dir: str | os.PathLike,
        *,
        strategy: str = "auto",
        teacher: keras.Model | Teacher | None = None,
        deterministic: bool = False,
        checkpoint_steps: Count = 1000,
        checkpoint_minutes: Positive = 15.0,
        keep: Count = 3,
        bad_limit: Fraction | None = None,
        data_service: str | None = None,
        trust_model: bool = False,
        console: Console | None = None,
    ):
        extras.require("matplotlib", "PIL", "tensorboard", purpose="Training", extra="train")
        self.recipe, self.bad_limit, self.trust_model = recipe, bad_limit, trust_model
        self.console = console or Console(quiet=True)
        self.checkpoint_steps, self.checkpoint_minutes = checkpoint_steps, checkpoint_minutes
        self.described = {"data": str(data), **dataclasses.asdict(recipe)}
        self.described = json.loads(json.dumps(self.described))  # as a checkpoint gives it back
        self.services = service.parse_addresses(data_service) if data_service else ()
        service.require_answers(self.services)
        keras.utils.set_random_seed(recipe.seed)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        self.strategy = distribution.strategy(strategy, self._print)
        self.chief = distribution.is_chief(self.strategy)
        distribution.check_batch(self.strategy, recipe.batch_size, recipe.accumulate)
        self.folder = folder = open_run_folder(run_dir, self.chief, self._say)
        recipe, commits = hub_commits.pin(recipe, folder.path, self._say)
        self.recipe = recipe
        self.checkpoints = Checkpoints(folder.path / run_folder.CHECKPOINTS, keep, folder.log)
        self.network = load_network(recipe, trust_model)
        heard = self.console if self.chief else None
        opened = functools.partial(open_sources, data, SPLITS, seed=recipe.seed, console=heard)
        # What has to be listed or looked through in a store, one does for all.
        is_stored = stores.is_remote(data)
        sources = distribution.chief_first(self.strategy, opened) if is_stored else opened()
        require_labels(sources[0], recipe.task == recipes.SEGMENTATION)
        self.train, self.held_out = map(self._pipeline, SPLITS, sources)
        self.images = self._images()
        self.seen = self.checkpoints.steps()
        self.state = self.checkpoints.latest(self.described, self.images)  # before long work
        if self.state is None:
            self.folder.require_no_results()
        self._say(self.train.source.description)
        self.steps = self.train.steps_per_epoch(recipe.batch_size)
        weights = weights_of_classes(recipe.class_weights, self.train.source)
        if weights is not None:
            shown = [f"{n} {w:.3g}" for n, w in zip(self.train.class_names, weights, strict=True)]
            self._say(f"Class weights: {', '.join(shown[:SHOWN])}{', ...' * (len(shown) > SHOWN)}")
        on_tpu = isinstance(self.strategy, tf.distribute.TPUStrategy)
        names = self.train.class_names
        make_teacher = resolve_teacher(
            recipe.teacher if teacher is None else teacher, names, trust_model, on_tpu, self._say
        )
        self.loop = Loop(recipe, self._build, self.steps, self.strategy, make_teacher, weights)
        self.evaluator = Evaluator(self.loop.model, self.strategy)
        self.step, self.sums = 0, dict(NO_SUMS)
        self.history: list[dict[str, float]] = []
        self.stop, self.saved = False, time.monotonic()
        self.config = {
            "run": {**self.described, "data": files.absolute(data)},
            "strategy": type(self.strategy).__name__,
            "replicas": self.strategy.num_replicas_in_sync,
            hub_commits.COMMITS: commits,
            "deterministic": deterministic,
            "classes": list(self.train.class_names),
            "class_weights": weights if weights is None else weights.tolist(),
            "examples": self.images["examples"],
        }

    def _pipeline(self, split, source):
        recipe = self.recipe
        return Pipeline(
            source,
            image_size=recipe.image_size,
            training=split == "train",
            augmentation=recipe.augmentation,
            seed=recipe.seed,
            crop=recipe.crop,
            bad_limit=self.bad_limit,
            bad_examples=self.folder.path / run_folder.BAD,
            services=self.services if split == "train" else (),
            input=NORMALIZED if self.network is None else self.network.input,
        )

    def _images(self):
        """What tells these images from others, wherever they lie."""
        sources = dict(zip(SPLITS, (self.train.source, self.held_out.source), strict=True))
        return {
            "classes": list(self.train.class_names),
            "examples": {split: source.examples for split, source in sources.items()},
            "fingerprint": {split: source.fingerprint for split, source in sources.items()},
        }

    def _build(self):
        names = self.train.class_names
        if self.network is not None:
            return classifiers.build_from_file(self.network, self.recipe, names)
        return classifiers.build_classifier(self.recipe, len(names))

    # -------------------------------------------------------------- the run

    @explained
    def execute(self) -> dict[str, dict[str, float]]:
        """Trains to the end, from the last checkpoint if there is one; as `train` returns."""
        with self.folder.locked(), service.watched(self.services, self._print):
            self._resume()
            self.folder.config(self.config)
            self.progress = TrainingProgress(
                self.console if self.chief else Console(quiet=True),
                batch_size=self.recipe.batch_size,
                steps_per_epoch=self.steps,
                epochs=self.recipe.epochs,
                start=self.step,
                classes=len(self.train.class_names),
                held_out=self.held_out.examples,
                loss_note=loss_note(self.recipe, self.loop.teacher is not None),
            )
            try:
                with on_signals(lambda: setattr(self, "stop", True)), self.progress:
                    while len(self.history) < self.recipe.epochs:
                        self._epoch(len(self.history))
            except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
                raise ConnectionError(
                    f"Another worker is gone after step {self.step}: "
                    f"{run_folder.error_text(error)} Start all workers again: they resume at the "
                    "last checkpoint."
                ) from error
            finally:
                self.folder.curve(self.history)
                self.folder.close()
            return self._finish()

    def _resume(self):
        if self.checkpoints.steps() != self.seen:  # another process trained meanwhile
            self.state = self.checkpoints.latest(self.described, self.images)
        state, self.state = self.state, None
        # Before the workers wait for each other: then the chief writes.
        damaged = self.folder.damaged(state.history) if state else []
        step = tf.constant(state.step if state else 0, "float64")
        mean = self.strategy.reduce("MEAN", self.strategy.run(lambda: tf.identity(step)), axis=None)
        if float(mean) != float(step):
            raise ValueError(
                f"The workers do not see the same checkpoints in {self.checkpoints.folder}: the "
                "run's folder must be in a store, or on a file system that all of them share."
            )
        if state:
            before, now = self.loop.restore(state.variables), self.strategy.num_replicas_in_sync
            self.step, self.history, self.sums = state.step, state.history, state.sums
            self.folder.restore_results(damaged, state, self.checkpoints, self.loop)
            epochs = len(self.history)
            within = self.step - epochs * self.steps
            self._say(f"Resuming after {epochs} epochs and {within} steps")
            if before != now:
                self._say(
                    f"The number of replicas was {before}, is {now}: each goes on with the mean of "
                    "their batch-norm statistics. The order of the images stays"
                )
            epochs = state.recipe["epochs"]
            if epochs < self.recipe.epochs:
                self.folder.extend()
                self._say(
                    f"Extended from {epochs} to {self.recipe.epochs} epochs: the learning rate "
                    f"follows the {self.recipe.schedule} schedule of {self.recipe.epochs} epochs "
                    f"from here on, and is {float(self.loop.optimizer.learning_rate):.4g} now"
                )

    def _epoch(self, epoch):
        monitor = StepMonitor(self)

        def batches(shard):
            return self.train.batches(
                epoch,
                global_batch=self.recipe.batch_size,
                start_step=self.step - epoch * self.steps,
                shard=shard,
            )

        with self.train.explained():
            for batch in distribution.distribute(self.strategy, batches):
                if not self.step:
                    self._picture(batch)
                result = self.loop.train_step(batch, self.stop, self._is_checkpoint_due())
                self.step += 1
                stop, save = monitor.follow(result, batch)
                if stop or save or self._is_checkpoint_step():
                    monitor.finish()
                    self._save(self._state(monitor))
                if stop:
                    raise self._stopped()
        stop, _ = monitor.finish()
        variables = self._state(monitor)
        if stop:  # the held-out images wait until the run continues
            self._save(variables)
            raise self._stopped()
        self.progress.evaluating()
        with self.loop.evaluated_weights() as model:
            held_out = self.evaluator.evaluate(self.held_out, self.recipe.batch_size).metrics
            row = {
                "epoch": epoch + 1,
                "step": self.step,
                "learning_rate": float(self.loop.optimizer.learning_rate),
                **self._means(),
                **{f"val_{key}": held_out[key] for key in held_out if key != "examples"},
                "images_per_second": monitor.images_per_second(),
            }
            self.history.append(row)
            self.sums = dict(NO_SUMS)
            self.folder.epoch(self.history, model)
            if self.held_out.source.of_pixels and best_epoch(self.history) is row:
                self.folder.predictions(model, self.held_out)
        self._save(variables)
        self.progress.epoch(row)

    def _means(self):
        """Loss and accuracy of training over the epoch."""
        steps = self.sums["steps"]
        return {name: self.sums[name] / steps for name in ("loss", "accuracy")}

    def _is_checkpoint_step(self):
        return self.step % self.checkpoint_steps == 0 and self.step % self.steps

    def _is_checkpoint_due(self):
        """Whether too much time has passed: by the chief's clock, and then all know."""
        return self.chief and time.monotonic() - self.saved > 60 * self.checkpoint_minutes

    def _state(self, monitor):
        variables = self.loop.state()  # all workers together
        monitor.require_finite(variables)
        return variables

    def _save(self, variables):
        if self.chief:
            self.checkpoints.save(
                State(self.step, variables, self.described, self.history, self.sums, self.images)
            )
            self.folder.publish()
        self.saved = time.monotonic()

    def _picture(self, batch):
        local = {
            name: self.strategy.experimental_local_results(batch[name])[0].numpy()
            for name in ("image", "label")
        }
        if self.train.takes_pixels:
            local["image"] = normalize(local["image"])
        self.folder.training_batch(local, self.train.class_names)

    def _finish(self):
        metrics = {"last": self.history[-1], "best": best_epoch(self.history)}
        self.folder.metrics(metrics)
        return metrics

    def _stopped(self):
        return Stopped(f"Stopped after step {self.step}; the same command resumes there.")

    def _say(self, text):
        if self.chief:
            self._print(text)

    def _print(self, text):
        self.console.print(text, soft_wrap=True, markup=False, emoji=False)
