"""Model files of strangers: what runs code or reaches out is refused by name."""

import copy
import json
import zipfile

import keras
import numpy as np
import pytest

from keras_ghostnet import cli, layers, model_config, model_file
from keras_ghostnet.model_config import TRUST, UntrustedModelError, check_config
from tests.model_files import SIZE, build, edited, find, function, layer, sized

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
    return build()


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    model.save(path)
    return path


@pytest.fixture
def config(file):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("config.json"))


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


def test_what_is_registered_hides_no_other_class(config):
    """Of the model itself, files of HDF5 know the class's own name alone."""
    config |= {"class_name": "TFSMLayer", "registered_name": "keras_ghostnet>FeaturePyramid"}
    config["module"] = "keras_ghostnet.layers.pyramid"
    with pytest.raises(UntrustedModelError, match="refers to 'TFSMLayer'"):
        check_config(config)
    check_config(config | {"class_name": "FeaturePyramid"})


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
