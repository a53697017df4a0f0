"""What a model's file may refer to: the classes and functions that Keras would look up for it.

Keras' configurations name classes and functions, which loading a file looks up, builds and calls.
Its safe mode refuses stored bytecode, but takes whatever public name a file refers to: a layer
that runs a SavedModel, functions that write files or change the process. Here every reference is
looked up as Keras does it, and only what computes from its inputs passes.
"""

import inspect
import re
import sys

import keras

from keras_ghostnet.weights.readers.checkpoint import shown

MAX_DEPTH = 256  # of lists and dictionaries; a model in a model takes four
MAX_OBJECTS = 100_000  # references; the largest of `keras.applications` have some 10,000
TRUST = "If you trust whoever made the file, say --trust-model (in Python, trust_model=True)."
IMPORT = "If it is of another package, load the file in Python after importing that."

LAYER_PACKAGES = tuple(
    f"keras.src.layers.{package}"
    for package in (
        "activations",
        "attention",
        "convolutional",
        "merging",
        "normalization",
        "pooling",
        "preprocessing.image_preprocessing",
        "regularization",
        "reshaping",
        "rnn",
    )
)
LAYERS = (  # of the packages that hold others too
    "CategoryEncoding",
    "Dense",
    "Discretization",
    "EinsumDense",
    "Embedding",
    "Identity",
    "InputLayer",
    "Masking",
    "Normalization",
    "Pipeline",
    "Rescaling",
)
OPERATIONS = tuple(
    f"keras.src.ops.{module}"
    for module in ("core", "einops", "image", "linalg", "math", "nn", "numpy")
)
# Operations that call a function which they are given.
CALLERS = frozenset(
    ("AssociativeScan", "Cond", "ForiLoop", "JVP", "Map", "Scan", "Switch", "VectorizedMap")
    + ("WhileLoop",)
)
MODELS = ("Functional", "Model", "Sequential")
BASES = (
    keras.constraints.Constraint,
    keras.dtype_policies.DTypePolicy,
    keras.dtype_policies.DTypePolicyMap,
    keras.initializers.Initializer,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.quantizers.Quantizer,
    getattr(keras.quantizers, "QuantizationConfig", keras.quantizers.Quantizer),  # of Keras 3.13
    keras.random.SeedGenerator,
    keras.regularizers.Regularizer,
)
# Where Keras looks for what a file names without saying where it is.
FUNCTION_NAMESPACES = (
    keras.activations,
    keras.constraints,
    keras.initializers,
    keras.losses,
    keras.metrics,
    keras.optimizers,
    keras.regularizers,
)
CLASS_NAMESPACES = (keras.layers, sys.modules["keras.src.models"], *FUNCTION_NAMESPACES)
FUNCTIONS = (keras.activations, keras.losses, keras.metrics)
LOOKUPS = ("deserialize", "get", "serialize")  # of every namespace; they reach all the others
VALUES = (
    *("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"),
    *("TensorShape", "__tuple__"),  # in files of HDF5
)
LOOPS = ("chain_depth", "depth", "num_chains", "num_ops")  # by which layers repeat what they do
MAX_REPEATS = 1000
DROPPED = "the model's losses or metrics"
NUMBERS = re.compile(r"(?:bool|u?int|b?float|complex)\d*")


class UntrustedModelError(ValueError):
    """A model's file refers to what no file may, or takes more than it holds."""


def check_config(config: object) -> None:
    """Refuses a model's configuration that refers to more than layers and pure functions.

    Args:
        config: What the file's JSON says of the model, as Keras reads it.

    Raises:
        UntrustedModelError: If it does, naming the layer and what it refers to; if it is nested
            too deep or too long.
    """
    # Of the model itself Keras drops this, since it is not compiled: a loss of the user's own that
    # could not be found does not matter. What could be found is refused there too.
    dropped = config.get("compile_config") if isinstance(config, dict) else None
    objects = 0
    pending = [(config, "the model", 0)]
    while pending:
        value, layer, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise UntrustedModelError(f"it is nested more than {MAX_DEPTH} levels deep. {TRUST}")
        if isinstance(value, list):
            pending += [(part, layer, depth + 1) for part in value]
        if not isinstance(value, dict):
            continue
        if "class_name" in value:
            objects += 1
            if objects > MAX_OBJECTS:
                raise UntrustedModelError(f"it has more than {MAX_OBJECTS:,} objects. {TRUST}")
            layer = layer if layer == DROPPED else _label(value) or layer
            _check_object(value, layer, is_root=depth == 0)
        for node in value.get("inbound_nodes") or ():
            _check_call(node, layer)
        for key, part in value.items():
            if key in LOOPS and isinstance(part, int) and part > MAX_REPEATS:
                raise UntrustedModelError(f"{layer} has a {key} of {shown(part)}. {TRUST}")
            is_dropped = depth == 0 and key == "compile_config" and part is dropped
            pending.append((part, DROPPED if is_dropped else layer, depth + 1))


def _label(config):
    """What messages call an object; None if it has no name."""
    inner = config.get("config")
    name = config.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    return f"{shown(name)} ({shown(config['class_name'])[1:-1]})" if name else None


def _check_object(config, layer, is_root):
    name, inner = config["class_name"], config.get("config")
    if name in VALUES:
        dtype = inner.get("dtype", "") if isinstance(inner, dict) else ""
        if dtype and not (isinstance(dtype, str) and NUMBERS.fullmatch(dtype)):
            raise UntrustedModelError(f"{layer} has values of type {shown(dtype)}. {TRUST}")
    elif name == "function":
        _check_name(inner, inner, config.get("module"), layer, FUNCTION_NAMESPACES)
    else:
        if "module" in config:
            registered = config.get("registered_name", name)
            _check_name(name, registered, config["module"], layer, CLASS_NAMESPACES)
        if "module" not in config or is_root:  # as files of HDF5
            # What Keras itself knows by that name it takes, whatever is registered beside it.
            is_known = _find(name, None, CLASS_NAMESPACES)
            registered = name if is_known else config.get("registered_name", name)
            _check_name(name, registered, None, layer, CLASS_NAMESPACES)


def _check_name(name, registered, module, layer, namespaces):
    """Refuses a name if something that Keras may find for it is not pure."""
    if not isinstance(name, str) or not isinstance(module, str | None):
        raise UntrustedModelError(f"{layer} refers to {shown(module)}, {shown(name)}.")
    if isinstance(registered, str) and keras.saving.get_registered_object(registered) is not None:
        return  # by this package, or by one that the user imported
    found = _find(name, module, namespaces)
    full = shown(f"{module}.{name}" if module else name)
    if not found and layer != DROPPED:
        advice = TRUST if name == "__lambda__" else IMPORT
        raise UntrustedModelError(f"{layer} refers to {full}, which is not known here. {advice}")
    if not all(map(_is_pure, found)):
        raise UntrustedModelError(
            f"{layer} refers to {full}, which may do more than compute from its inputs. {TRUST}"
        )


def _find(name, module, namespaces):
    """All that Keras may take for a name: by the module, or by the ways of its older formats."""
    if module and module != "builtins":
        module, _, name = f"{module}.{name}".rpartition(".")
        # What Keras itself has not imported is no part of its API.
        is_keras = module.split(".")[0] == "keras"
        namespaces = [sys.modules[module]] if is_keras and module in sys.modules else []
    return [vars(space)[name] for space in namespaces if name in vars(space)]


def _is_pure(found):
    """Whether a class or function of Keras' does nothing but compute from what it is given."""
    if inspect.isfunction(found):
        name = found.__name__
        return name not in LOOKUPS and any(vars(space).get(name) is found for space in FUNCTIONS)
    if not inspect.isclass(found):
        return False
    name, where = found.__name__, found.__module__
    if not where.startswith("keras.src."):
        return False
    if issubclass(found, keras.Model):
        return name in MODELS
    if issubclass(found, keras.Layer):
        package = where.rpartition(".")[0]
        return package in LAYER_PACKAGES or name in LAYERS or package == "keras.src.applications"
    if issubclass(found, keras.Operation):
        return where in OPERATIONS and name not in CALLERS
    return issubclass(found, BASES)


def _check_call(node, layer):
    """Refuses a call without any tensor of the model: Keras would run it while it loads."""
    pending = [node]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return
            pending += value.values()
        elif isinstance(value, list):
            if isinstance(node, list) and value and isinstance(value[0], str):  # of older formats
                return
            pending += value
    raise UntrustedModelError(
        f"{layer} is called on constants, not on the model's tensors. {TRUST}"
    )
