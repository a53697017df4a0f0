"""Of model files that pass the gate, Keras looks up nothing but what is allowed.

Configurations are mutated at random, by seeds: references to other names, other modules, older
forms, parts in other places. Keras' own look-ups are recorded while the files load.
"""

import contextlib
import copy
import json
import random
import shutil
import zipfile

import h5py
import keras
import pytest
from keras.src.legacy.saving import serialization
from keras.src.saving import serialization_lib

from keras_ghostnet import layers, model_config, model_file

MODULES = (
    *(None, "", "builtins", "os", "keras", "keras.layers", "keras.activations", "keras.ops"),
    *("keras.tree", "keras.config", "keras.initializers", "keras.losses", "keras.saving"),
    *("keras.utils", "keras.visualization", "keras.random", "keras.src.layers.core.dense"),
    *("keras.src.export.tfsm_layer", "keras.src.ops.numpy", "keras.src.ops.core"),
    *("keras.src.legacy.saving.serialization", "keras_ghostnet.layers"),
)
NAMES = (
    *("Dense", "Lambda", "TFSMLayer", "function", "relu", "traverse", "set_floatx", "GhostModule"),
    *("keras_ghostnet>GhostModule", "deserialize", "get", "Functional", "Sequential", "Model"),
    *("Input", "Layer", "add", "Add", "Map", "uniform", "Zeros", "__lambda__", "__tensor__"),
    *("__typespec__", "StringLookup", "map_structure", "zeros", "Wrapper", "keras_export"),
    *("InputLayer", "mean_squared_error", "plot_model", "enable_unsafe_deserialization"),
    *("layers.TFSMLayer", "IndexLookup", "JaxLayer", "MeanMetricWrapper", "Adam", "config"),
)
REFERENCE = {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/x"}}
CONFIGS = ({}, {"name": "odd"}, {"filepath": "/x"}, {"layer": REFERENCE}, {"function": REFERENCE})
CHOICES = {
    "module": MODULES,
    "class_name": NAMES,
    "registered_name": (*NAMES, None),
    "config": (*NAMES, *CONFIGS),
}
VALUES = (None, True, 1, -1, 10**12, "relu", "traverse", "keras_ghostnet>GhostModule", [], {})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model of several kinds of references in both formats."""
    inputs = keras.Input((8, 8, 3))
    x = layers.GhostModule(4)(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Conv2D(
        *(2, 3),
        kernel_regularizer="l2",
        kernel_constraint="max_norm",
        activation=keras.layers.ReLU(),
    )(x)
    inner = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Flatten()])
    inner.add(keras.layers.Dense(3, activation="relu"))
    inner.compile("adam", "mse", metrics=[keras.losses.mean_squared_error])
    model = keras.Model(inputs, keras.layers.Activation("softmax")(inner(x)))
    model.compile(keras.optimizers.SGD(), keras.losses.CategoricalCrossentropy(), ["accuracy"])
    folder = tmp_path_factory.mktemp("models")
    for suffix in (".keras", ".h5"):
        model.save(folder / f"model{suffix}")
    return folder


@pytest.fixture
def looked_up(monkeypatch):
    """What Keras has found for the names of a file."""
    found = []

    def recorded(function, of):
        def record(*arguments, **options):
            result = function(*arguments, **options)
            found.append(of(result))
            return result

        return record

    for module, name, of in (
        (serialization_lib, "_retrieve_class_or_fn", lambda result: result),
        (serialization, "class_and_config_for_serialized_keras_object", lambda result: result[0]),
    ):
        monkeypatch.setattr(module, name, recorded(getattr(module, name), of))
    return found


def places(value, path=()):
    """The paths to all parts of a configuration."""
    if path:
        yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, part in _dictionary(value).items():
        yield from places(part, (*path, key))


def part_of(config, path):
    for key in path:
        config = config[key]
    return config


def mutate(config, chance):
    for _ in range(chance.choice((1, 1, 2, 3))):
        paths = list(places(config))
        objects = [path for path in paths if "class_name" in _dictionary(part_of(config, path))]
        *start, key = chance.choice(objects if objects and chance.random() < 0.7 else paths)
        parent, kind = part_of(config, start), chance.random()
        old = _dictionary(parent[key])
        if kind < 0.7:
            new = {field: chance.choice(choices) for field, choices in CHOICES.items()}
            fields = [chance.choice(tuple(CHOICES))] if kind < 0.35 and old else CHOICES
            parent[key] = old | {field: new[field] for field in fields}
            for field in fields:
                if chance.random() < 0.2:
                    del parent[key][field]
        elif kind < 0.85:
            parent[key] = copy.deepcopy(part_of(config, chance.choice(paths)))
        else:
            parent[key] = chance.choice(VALUES)
    return json.dumps(config)


def _dictionary(value):
    return value if isinstance(value, dict) else {}


def mutated(files, path, chance):
    """A model's file with another configuration."""
    source = files / f"model{path.suffix}"
    if path.suffix == ".h5":
        shutil.copy(source, path)
        with h5py.File(path, "r+") as root:
            root.attrs["model_config"] = mutate(json.loads(root.attrs["model_config"]), chance)
        return
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            is_config = name == "config.json"
            new.writestr(name, mutate(json.loads(content), chance) if is_config else content)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("seeds", [range(20), range(20, 500)], ids=["few", "many"])
def test_nothing_else_is_looked_up(files, looked_up, tmp_path, suffix, seeds):
    registered = list(keras.saving.get_custom_objects().values())
    names = 0
    for seed in seeds:
        path = tmp_path / f"model{suffix}"
        mutated(files, path, random.Random(seed))
        looked_up.clear()
        with contextlib.suppress(ValueError):  # of no other kind
            model_file.load_model(path)
        names += len(looked_up)
        for found in looked_up:
            assert model_config._is_pure(found) or found in registered, (seed, found)
    assert names > len(seeds)
