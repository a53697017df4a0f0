"""Artifacts made of an ONNX network that their converter or runtime fails at: at which node.

A converter is a process of its own, and so is what runs a fresh artifact before this one does.
"""

import pathlib
import tempfile

import numpy as np

from keras_ghostnet.export import processes, sandbox
from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError
from keras_ghostnet.export.onnx.graphs import shapes
from keras_ghostnet.export.onnx.runtime import Session

OUTPUT = "outputs"


def write_sound(network, path, module, write):
    """Writes an artifact, and refuses it if its runtime crashes, or outputs what is not finite.

    Args:
        network: An `onnx.ModelProto` of one image, channels first, with the shapes of its tensors
            and the output `outputs`.
        path: The artifact to create.
        module: Of its `keras_ghostnet.export.formats.Format`, which says the runtime.
        write: A function that converts a network to a path.

    Raises:
        UnsupportedOperatorError: If so, or if the converter fails, with the first node at which it
            does; and what `write` raises besides.
    """
    path = pathlib.Path(path)
    reason = _fault(network, path, module, write)
    if reason is None:
        return

    def fails(part):
        with tempfile.TemporaryDirectory() as folder:
            return _fault(part, pathlib.Path(folder) / path.name, module, write) is not None

    node = first_faulty(network, fails)
    raise UnsupportedOperatorError(f"at its operator {node.op_type}, {reason}", [node.name])


def first_faulty(network, fails):
    """The first node with which a network fails.

    Args:
        network: As `write_sound`; one that fails.
        fails: A function of a part of it, a network of one node and of all that it needs.
    """
    from onnx.utils import Extractor

    nodes, extractor = network.graph.node, Extractor(network)
    names = [network.graph.input[0].name]
    left = list(range(len(nodes)))  # the part of the last one fails
    while len(left) > 1:
        middle = left[(len(left) - 1) // 2]
        part = extractor.extract_model(names, [nodes[middle].output[0]])
        needed = {node.output[0] for node in part.graph.node}
        is_in = fails(_named(part))
        left = [number for number in left if (nodes[number].output[0] in needed) is is_in]
    return nodes[left[0]]


def _named(network):
    """The network, its output named as those of whole ones are."""
    (output,) = network.graph.output
    for node in network.graph.node:
        node.output[:] = [OUTPUT if name == output.name else name for name in node.output]
    output.name = OUTPUT
    return network


def _fault(network, path, module, write):
    """What is wrong with an artifact, in words; None if nothing is."""
    _, channels, *size = shapes(network)[network.graph.input[0].name]
    image = np.random.default_rng(0).normal(size=(1, *size, channels))
    process = sandbox.take(module)
    try:
        write(network, path)
        outputs = sandbox.Sandbox(path, module, size, process)(image)
    except processes.ConverterError as error:
        return str(error)
    except sandbox.SandboxError:
        return f"its runtime {'refuses it' if process.is_alive() else process.cause()}"
    finally:
        if process.is_alive():
            sandbox.keep(module, process)
    if np.isfinite(outputs).all() or not _is_finite(network, image):
        return None
    return "its runtime outputs what is no finite number"


def _is_finite(network, image):
    """Whether what a network computes is finite, by ONNX Runtime."""
    (outputs,) = Session(network.SerializeToString()).run(image.astype("float32")).values()
    return np.isfinite(outputs).all()
