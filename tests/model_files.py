"""A model with a place for every kind of reference, and files of it with other configurations."""

import json
import zipfile

import h5py
import keras

from keras_ghostnet import layers

SIZE = 16


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def layer(name, module="keras.layers", **config):
    config = {"name": "odd", **config}
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def find(config, name):
    return next(each for each in config["config"]["layers"] if each["config"].get("name") == name)


def build():
    """A model with a place for each kind of reference."""
    inputs = keras.Input((SIZE, SIZE, 3), name="images")
    x = keras.layers.RandomFlip()(inputs)
    x = keras.layers.Rescaling(1 / 255)(x)
    x = layers.GhostModule(4)(x)
    x = keras.layers.Conv2D(
        *(2, 3),
        kernel_regularizer="l2",
        kernel_constraint="max_norm",
        name="conv",
        activation="relu6",
    )(x)
    x = keras.ops.relu(x * 2)[:, 1:]
    rows = keras.layers.Bidirectional(keras.layers.LSTM(2), name="both")
    x = keras.layers.TimeDistributed(rows, name="steps")(x)
    x = keras.layers.Flatten()(x)
    dense = keras.layers.Dense(3, name="dense")
    inner = keras.Sequential([keras.Input(x.shape[1:]), dense], name="inner")
    inner.compile("adam", "mse")
    model = keras.Model(inputs, keras.layers.Activation("softmax", name="end")(inner(x)))
    model.compile(keras.optimizers.SGD(), keras.losses.CategoricalCrossentropy(), ["accuracy"])
    return model


def edited(file, tmp_path, change, suffix=".keras"):
    """The model with another configuration, as a file."""
    path = tmp_path / f"edited{suffix}"
    if suffix == ".keras":
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name == "config.json":
                    content = json.dumps(change(json.loads(content))).encode()
                new.writestr(name, content)
        return path
    keras.models.load_model(file).save(path)
    with h5py.File(path, "r+") as root:
        root.attrs["model_config"] = json.dumps(change(json.loads(root.attrs["model_config"])))
    return path


def sized(*pairs):
    """Changes arguments of layers."""

    def change(config):
        for name, values in pairs:
            find(config, name)["config"].update(values)
        return config

    return change
