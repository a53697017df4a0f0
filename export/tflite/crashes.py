"""Fresh `.tflite` files at which LiteRT crashes: which part of the network does it.

A file runs in a process of its own before this one loads it.
"""

import pathlib
import tempfile

import numpy as np

from keras_ghostnet.export import sandbox
from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError
from keras_ghostnet.export.tflite import inspection
from keras_ghostnet.export.tflite.packaging import pack

MODULE = "tflite"


def require_none(path: pathlib.Path) -> None:
    """Refuses a file at which LiteRT crashes. What else is wrong with it, others find.

    Raises:
        UnsupportedOperatorError: If it crashes, with the operator that the shortest part of the
            network ends in at which it does.
    """
    reason = _crash(path)
    if reason is None:
        return
    content = path.read_bytes()
    names = inspection.outputs(content)
    runs, crashes = 0, len(names)
    with tempfile.TemporaryDirectory() as folder:
        part = pathlib.Path(folder) / path.name
        while crashes - runs > 1:
            operators = (runs + crashes) // 2
            part.write_bytes(_first(content, operators))
            if _crash(part) is None:
                runs = operators
            else:
                crashes = operators
    raise UnsupportedOperatorError(
        f"LiteRT {reason} at the first {crashes} of the file's {len(names)} operators, not at one "
        "less. It may be a fault of LiteRT's",
        [names[crashes - 1]],
    )


def _crash(path):
    """How LiteRT ends at a file, in words; None if it does not, also if it refuses the file."""
    process = sandbox.take(MODULE)
    try:
        sandbox.Sandbox(path, MODULE, process=process)
    except sandbox.SandboxError:
        if not process.is_alive():
            return process.cause()
    sandbox.keep(MODULE, process)
    return None


def _first(content, number):
    """The file of so many first operators."""
    model = inspection.schema_module().ModelT.InitFromPackedBuf(content, 0)
    (graph,) = model.subgraphs
    graph.operators = graph.operators[:number]
    graph.outputs = np.array(graph.operators[-1].outputs[:1], "int32")
    model.signatureDefs = None
    return pack(model)
