"""Ranges of settings and arguments: what is out of them is refused by name, before any work."""

import math

import numpy as np
import pytest

from keras_ghostnet.benchmark.comparison.compare import compare
from keras_ghostnet.benchmark.profiling.profile import profile
from keras_ghostnet.export import exporting, prediction
from keras_ghostnet.export.quantization import prune, quantize_aware
from keras_ghostnet.export.quantization.run import quantize_run
from keras_ghostnet.training import evaluate, recipes, train
from keras_ghostnet.training.data import make_records, outputs, sources

NONSENSE = (-1, math.nan, math.inf, -math.inf, 10**30, "many", True)
NUMBERS = {  # function, positional arguments, and what is to be a number
    evaluate: (("m", "d"), "batch_size crop image_size seed bad_limit"),
    prediction.predict: (("m", "i"), "top image_size"),
    exporting.export: (("m", "out"), "crop image_size version"),
    quantize_run: (
        ("m", "d"),
        "epochs steps batch_size learning_rate distillation image_size seed",
    ),
    quantize_aware: ((None, []), "epochs steps learning_rate distillation"),
    prune: ((None, []), "sparsity epochs steps learning_rate distillation"),
    profile: (("m",), "threads calls"),
    compare: ((), "size calls"),
    train: (("smoke", "d", "r"), "checkpoint_steps checkpoint_minutes keep bad_limit"),
    make_records: (("in", "out"), "shards workers seed held_out"),
}
CASES = [(function, name) for function, (_, names) in NUMBERS.items() for name in names.split()]


@pytest.mark.parametrize(("function", "name"), CASES, ids=lambda x: getattr(x, "__name__", x))
def test_arguments(function, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in NONSENSE:
        if name in ("learning_rate", "checkpoint_minutes") and value == 10**30:
            continue  # numbers as others
        with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
            function(*NUMBERS[function][0], **{name: value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["threads", "batch"])
def test_several_numbers(name):
    for value in NONSENSE:
        with pytest.raises(ValueError, match=f"`{name}` must be numbers.*Received: {name}="):
            compare(**{name: (1, value)})


SETTINGS = (
    *("clip_norm", "weight_decay", "decay", "temperature", "milestones", "warmup_epochs", "seed"),
    *("epochs", "batch_size", "image_size", "accumulate", "crop", "learning_rate", "momentum"),
    *("l2", "label_smoothing", "dropout_rate", "ema", "distillation", "class_weights"),
    *(f"augmentation.{name}" for name in ("mixup", "cutmix", "erasing", "color_jitter")),
)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("text", ["-1", "nan", "inf", "-inf", "many"])
def test_settings(name, text):
    with pytest.raises(ValueError, match=f"`{name}` "):
        recipes.override(recipes.get_recipe("smoke"), [f"{name}={text}"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("epochs", 10**30),
        ("batch_size", 10**30),
        ("image_size", 10**6),
        ("seed", 2**32),
        ("augmentation.pad_crop", 10**9),
        ("augmentation.rand_augment", f"{10**9},9"),
    ],
)
def test_numbers_that_take_all_memory(name, text):
    with pytest.raises(ValueError, match=f"`{name}` takes .*Received"):
        recipes.override(recipes.get_recipe("smoke"), [f"{name}={text}"])


def test_numbers_of_numpy():
    recipe = recipes.get_recipe("smoke")
    assert recipes.override(recipe, []) == recipe
    with pytest.raises(FileNotFoundError):
        evaluate("no/model.keras", "d", batch_size=np.int64(4), crop=np.float32(0.5))


@pytest.mark.parametrize("label", [10**30, -1, math.inf, "many", None])
def test_first_labels(tmp_path, label):
    sources.write_class_list(outputs.FolderOutput(tmp_path), ["ant", "bee"], label)
    with pytest.raises(ValueError, match="first_label is the label of the first class"):
        sources.read_class_list(tmp_path)
