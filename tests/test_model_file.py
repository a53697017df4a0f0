"""Model files of strangers: what runs code, reaches out or takes everything is refused by name."""

import copy
import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_ghostnet import cli, layers, model_config, model_file
from keras_ghostnet.model_config import TRUST, UntrustedModelError, check_config

SIZE = 16


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def layer(name, module="keras.layers", **config):
    config = {"name": "odd", **config}
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


SAVED_MODEL = layer("TFSMLayer", filepath="/elsewhere", call_endpoint="serving_default")
REFERENCES = {
    "TFSMLayer": function("keras.layers", "TFSMLayer"),
    "traverse": function("keras.tree", "traverse"),
    "map_shape_structure": function("keras.tree", "map_shape_structure"),
    "plot_image_gallery": function("keras.visualization", "plot_image_gallery"),
    "set_dtype_policy": function("keras.config", "set_dtype_policy"),
    "set_floatx": function("keras.config", "set_floatx"),
    "get_file": function("keras.utils", "get_file"),
    "vectorized_map": function("keras.ops", "vectorized_map"),
    "deserialize": function("builtins", "deserialize"),
    "system": function("os", "system"),
    "func_load": function("keras.src.utils.python_utils", "func_load"),
    "a disguised name": {**function("keras.tree", "traverse"), "registered_name": "relu"},
    "a name that is registered": {
        **function("keras.tree", "traverse"),
        "registered_name": "keras_ghostnet>GhostModule",
    },
    "an object": SAVED_MODEL,
    "Lambda": layer("Lambda", function=function("keras.activations", "relu")),
    "a private path": layer("TFSMLayer", module="keras.src.export.tfsm_layer"),
    "a path in the name": layer("layers.TFSMLayer", module="keras"),
    "an older format": {"class_name": "TFSMLayer", "config": {"filepath": "/elsewhere"}},
    "JaxLayer": layer("JaxLayer"),
    "TorchModuleWrapper": layer("TorchModuleWrapper"),
    "a file": layer("StringLookup", vocabulary="/etc/passwd"),
    "an operation that calls": layer("Map", module="keras.src.ops.core"),
    "a base class": layer("Layer"),
    "a module": layer("jax", module="keras.src.utils.module_utils"),
    "bytecode": {"class_name": "__lambda__", "config": {"value": "4wEA"}},
    "a type": {
        "class_name": "__typespec__",
        "spec_name": "TFSMLayer",
        "module": "keras.layers",
        "config": [],
        "registered_name": None,
    },
    "a pickle": {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
    "no name": {"module": "keras.layers", "class_name": ["Dense"], "config": {}},
}


@pytest.fixture(scope="module")
def model():
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


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    model.save(path)
    return path


@pytest.fixture
def config(file):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("config.json"))


def find(config, name):
    return next(each for each in config["config"]["layers"] if each["config"].get("name") == name)


def of(name, *keys):
    """The place in a configuration that `keys` lead to, from a layer's arguments."""

    def place(config):
        part = find(config, name)["config"] if name else config
        for key in keys[:-1]:
            part = part[key]
        return part, keys[-1]

    return place


INNER = ("layers", 1, "config", "activation")
PLACES = {
    "a layer": of("", "config", "layers", 2),
    "an activation": of("conv", "activation"),
    "the last activation": of("end", "activation"),
    "an initializer": of("conv", "kernel_initializer"),
    "a regularizer": of("conv", "kernel_regularizer"),
    "a constraint": of("conv", "kernel_constraint"),
    "a precision": of("conv", "dtype"),
    "a wrapper": of("steps", "layer"),
    "a wrapper's wrapper": of("steps", "layer", "config", "layer"),
    "a cell": of("steps", "layer", "config", "layer", "config", "recurrent_activation"),
    "a model in the model": of("inner", *INNER),
    "its loss": of("", "config", "layers", -2, "compile_config", "loss"),
    "a new argument": of("conv", "unknown"),
    "an argument of a call": of("", "config", "layers", -1, "inbound_nodes", 0, "kwargs", "mask"),
    "the build": of("", "config", "layers", 3, "build_config", "input_shape"),
    "the loss": of("", "compile_config", "loss"),
    "a metric": of("", "compile_config", "metrics"),
    "the optimizer": of("", "compile_config", "optimizer"),
    "the model": of("", "config"),
}


def test_every_place_holds_something(config):
    for place in PLACES.values():
        part, key = place(config)
        assert isinstance(part, dict | list), key


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("place", PLACES)
def test_what_a_file_may_not_refer_to(config, place, reference):
    part, key = PLACES[place](config)
    part[key] = copy.deepcopy(REFERENCES[reference])
    is_unknown = reference in ("system", "bytecode", "a type")
    if is_unknown and "compile_config" in config and part is config["compile_config"]:
        check_config(config)  # Keras would find nothing there, and does not look
        return
    with pytest.raises(UntrustedModelError, match=r"refers to|bytecode|values of type"):
        check_config(config)


def test_many_objects(config, monkeypatch):
    monkeypatch.setattr(model_config, "MAX_OBJECTS", 50)
    with pytest.raises(UntrustedModelError, match="more than 50 objects"):
        check_config(config)


def test_the_layer_is_named(config):
    part, key = PLACES["a cell"](config)
    part[key] = REFERENCES["traverse"]
    with pytest.raises(
        UntrustedModelError, match=r"'forward_lstm(_\d+)?' \(LSTM\) refers to 'keras.tree.trav"
    ):
        check_config(config)


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


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files(file, tmp_path, suffix):
    """What is refused is named in one line, with the layer and what to do."""

    def change(config):
        find(config, "end")["config"]["activation"] = REFERENCES["map_shape_structure"]
        return config

    path = edited(file, tmp_path, change, suffix)
    with pytest.raises(UntrustedModelError) as caught:
        model_file.load_model(path)
    assert str(caught.value) == (
        f"{path} cannot be loaded: 'end' (Activation) refers to 'keras.tree.map_shape_structure', "
        f"which may do more than compute from its inputs. {TRUST}"
    )


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_loads(model, file, tmp_path, suffix):
    """The package's layers, augmentation, operations, wrappers, models in models."""
    if suffix == ".h5":  # which holds no operations
        inputs = keras.Input((SIZE, SIZE, 3))
        x = layers.GhostModule(4)(keras.layers.RandAugment()(inputs))
        x = keras.layers.Conv2D(2, 3, activation="relu6", kernel_regularizer="l2")(x)
        model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
        file = tmp_path / "model.h5"
        model.save(file)
    loaded = model_file.load_model(file)
    assert loaded.get_config() == keras.models.load_model(file).get_config()
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0", "ConvNeXtTiny"])
def test_published_networks(tmp_path, name):
    """With their preprocessing."""
    model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=3)
    model.save(tmp_path / "model.keras")
    assert model_file.load_model(tmp_path / "model.keras").count_params() == model.count_params()


def test_a_loss_of_the_users_own(file, tmp_path):
    """Keras does not look for the loss of a model that it does not compile."""

    def change(config):
        config["compile_config"]["loss"] = function("builtins", "my_loss")
        return config

    assert model_file.load_model(edited(file, tmp_path, change))


def test_layers_of_other_code(file, tmp_path):
    """Unknown until the code that registers them is imported; then trusted."""
    own = layer("Own", module="own_package.layers") | {"registered_name": "own_package>Own"}

    def change(config):
        end = find(config, "end")
        end.update(own | {"name": "end", "config": {"name": "end"}})
        return config

    path = edited(file, tmp_path, change)
    with pytest.raises(
        UntrustedModelError, match=r"'end' \(Own\) .*own_package.layers.Own.*import"
    ):
        model_file.load_model(path)

    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    with keras.saving.custom_object_scope({"own_package>Own": Own}):
        assert isinstance(model_file.load_model(path).layers[-1], Own)


def test_bytecode_of_the_users_own(tmp_path):
    double = keras.layers.Lambda(lambda x: 2 * x, output_shape=(2,), name="double")
    keras.Sequential([keras.Input((2,)), double]).save(tmp_path / "model.keras")
    with pytest.raises(UntrustedModelError, match=r"'double' \(Lambda\).*--trust-model"):
        model_file.load_model(tmp_path / "model.keras")
    loaded = model_file.load_model(tmp_path / "model.keras", trust_model=True)
    np.testing.assert_array_equal(loaded(np.ones((1, 2))), np.full((1, 2), 2.0))


# ------------------------------------------------ small files that cost everything


def sized(*pairs):
    """Changes arguments of layers."""

    def change(config):
        for name, values in pairs:
            find(config, name)["config"].update(values)
        return config

    return change


def constant_call(config):
    """Two calls without tensors: Keras would compute them while the file loads."""
    tile = layer("Tile", module="keras.src.ops.numpy", repeats=[10**11])
    node = {"args": [[1.0]], "kwargs": {}}
    config["config"]["layers"].append(tile | {"name": "odd", "inbound_nodes": [node]})
    return config


def loop(config):
    config["config"]["layers"][1].update(layer("RandAugment", num_ops=10**9))
    return config


def deep(config):
    part = config["config"]
    for _ in range(300):
        part["deeper"] = part = {}
    return config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (sized(("conv", {"filters": 10**9})), "'?conv'? asks for .* weights; all the file holds"),
        (constant_call, "'odd' .Tile. is called on constants"),
        (loop, r"'random_flip(_\d+)?' .RandAugment. has a num_ops of 1000000000"),
        (deep, "levels deep"),
    ],
)
def test_small_files(file, tmp_path, change, message):
    path = edited(file, tmp_path, change)
    with pytest.raises(UntrustedModelError, match=message):
        model_file.load_model(path)


@pytest.mark.parametrize(
    ("size", "layer", "message"),
    [
        (10_000, "GlobalAveragePooling2D", "more than 64,000,000 pixels"),
        (32, "ZeroPadding2D", "'pad' outputs .*more than 268,435,456 values"),
        (8_000, "GlobalAveragePooling2D", None),
    ],
)
def test_large_images(tmp_path, size, layer, message):
    arguments = {"padding": 10_000} if layer == "ZeroPadding2D" else {}
    pad = getattr(keras.layers, layer)(**arguments, name="pad")
    keras.Sequential([keras.Input((size, size, 3)), pad]).save(tmp_path / "model.keras")
    if message is None:
        assert model_file.load_model(tmp_path / "model.keras")
        return
    with pytest.raises(UntrustedModelError, match=message):
        model_file.load_model(tmp_path / "model.keras")
    assert model_file.load_model(tmp_path / "model.keras", trust_model=True)


def packed(file, tmp_path, **members):
    """The model's archive with other members, deflated."""
    path = tmp_path / "packed.keras"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        content = {name: old.read(name) for name in old.namelist()} | members
        for name, data in content.items():
            new.writestr(name, data)
    return path


def test_a_compressed_archive(file, tmp_path):
    assert model_file.load_model(packed(file, tmp_path))


def zeros():
    """A weight file of 2 GB in a few kB."""
    content = io.BytesIO()
    with h5py.File(content, "w") as root:
        root.create_dataset("layers/dense/vars/0", (2**29,), "float32", chunks=(2**20,))
    return content.getvalue()


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("config.json", lambda: b" " * 2**26 + b" {}", "would unfold from"),
        ("config.json", lambda: b" " * (2**25 + 1), "configuration takes"),
        ("model.weights.h5", zeros, "would unfold from"),
        ("assets/words.txt", lambda: b"a", "holds the file 'assets/words.txt'"),
        ("../x", lambda: b"a", "stay inside the archive"),
        ("config.json", lambda: b"[" * 100_000, "recursion"),
        ("config.json", lambda: b"[1, 2]", "cannot be loaded"),
    ],
)
def test_archives(file, tmp_path, member, content, message):
    path = packed(file, tmp_path, **{member: content()})
    with pytest.raises(ValueError, match=message):
        model_file.load_model(path)


def test_threads_that_build_models_meanwhile(file):
    """The check of weights concerns the thread that loads alone, and ends with it."""
    original = keras.Layer.add_weight
    model_file.load_model(file)
    assert keras.Layer.add_weight is original


@pytest.fixture(scope="module")
def hostile(file, tmp_path_factory):
    """A run's folder and an artifact's folder of a stranger, around the same model."""
    change = sized(("end", {"activation": REFERENCES["plot_image_gallery"]}))
    return edited(file, tmp_path_factory.mktemp("hostile"), change)


TRAIN = "train --recipe digits --data digits --run-dir {folder}/run"


@pytest.mark.parametrize(
    "command",
    [
        "evaluate {model} --data digits",
        "predict {model} {image}",
        "export {model} --formats onnx_fp32 --out {folder}/exports --data digits",
        "quantize {model} --data digits",
        "profile {model}",
        "compare --models {model} --out {folder}/compare",
        TRAIN + " --set teacher={model}",
    ],
)
def test_commands(hostile, tmp_path, capsys, monkeypatch, command):
    """Each refuses the file in one line, and trusts it at a word."""
    image = tmp_path / "image.png"
    keras.utils.save_img(image, np.zeros((SIZE, SIZE, 3)), scale=False)
    words = command.format(model=hostile, image=image, folder=tmp_path).split()
    assert cli.main(cli.parse(["ghostnet", *words])) == 1
    assert "plot_image_gallery', which may do more than compute" in capsys.readouterr().err

    def load(path, trust_model=False):
        raise ValueError(f"trust_model={trust_model}")

    monkeypatch.setattr(model_file, "load_model", load)
    assert cli.main(cli.parse(["ghostnet", *words, "--trust-model"])) == 1
    assert "trust_model=True" in capsys.readouterr().err
