"""Our variables as PyTorch's tensors, in timm's and the authors' names: `transfer` backwards."""

import os
from collections.abc import Mapping

import numpy as np
import safetensors.numpy

from keras_ghostnet import specs
from keras_ghostnet.weights.layouts import torch_layout
from keras_ghostnet.weights.shapes import identify_spec


def is_in_timm(spec: specs.Spec) -> bool:
    """Whether timm has a network of a specification's name."""
    return isinstance(spec, specs.GhostNetSpec) and spec.name in specs.SPECS


def torch_tensors(
    spec: specs.Spec, variables: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """The tensors of a network in PyTorch.

    Args:
        spec: The network's specification.
        variables: The model's arrays by their variables' paths. In place of the network's own
            head it may have a dense layer on the pooled features, as fine-tuning leaves it: then
            the head in front passes the features on, which changes no output.

    Returns:
        Float32 arrays by timm's names of them; None if the network has no layout in PyTorch, or
        the variables are not exactly its own.
    """
    layout = torch_layout(spec)
    if layout is None:
        return None
    layers = layout.layers(spec)
    own = _with_head(variables, layers, spec)
    unknown = [path for path in own if path.rpartition("/")[0] not in layers]
    if unknown or "predictions/kernel" not in own:
        return None
    tensors = {
        layout.tensor_name(layers[path.rpartition("/")[0]], path): np.ascontiguousarray(
            layout.from_keras(value, path), "float32"
        )
        for path, value in own.items()
    }
    # Networks of other names are no layout's, nor those whose batch norms are all folded.
    return tensors if identify_spec(layout, tensors) == spec else None


def _with_head(variables, layers, spec):
    """Variables with the whole top of a network, whatever the classifier's name.

    Pooled features are of a ReLU: a head of ones on its diagonal, and a ReLU, leave them as they
    are.
    """
    own = {path: value for path, value in variables.items() if path.rpartition("/")[0] in layers}
    rest = {path: value for path, value in variables.items() if path not in own}
    if {path.rpartition("/")[2] for path in rest} == {"kernel", "bias"} and len(rest) == 2:
        own |= {f"predictions/{path.rpartition('/')[2]}": rest[path] for path in rest}
    elif rest:
        return variables
    kernel = own.get("predictions/kernel")
    if "head" not in layers or "head/kernel" in own or kernel is None or kernel.ndim != 2:
        return own
    features = kernel.shape[0]
    if features != spec.final or features > spec.head:
        return variables
    return own | {
        "head/kernel": np.eye(features, spec.head),
        "head/bias": np.zeros(spec.head),
        "predictions/kernel": np.pad(kernel, ((0, spec.head - features), (0, 0))),
    }


def write_safetensors(path: str | os.PathLike[str], tensors: dict[str, np.ndarray]) -> None:
    """Writes tensors as PyTorch's libraries do."""
    safetensors.numpy.save_file(tensors, path, metadata={"format": "pt"})
