"""One range for all tensors of a concatenation in int8, which ONNX Runtime then copies.

Otherwise it looks up every value in a table; and those that are concatenated are rounded twice.
"""

import pathlib

import numpy as np

FINER = 2.0  # times the steps of a tensor may be finer than those of the whole, to lose one bit


def shared_ranges(path, reader):
    """Ranges for the inputs of concatenations: those of the outputs, which have them in them.

    Args:
        path: An ONNX file in float32.
        reader: Of calibration images, a `onnxruntime.quantization.CalibrationDataReader`.

    Returns:
        A dict from names of tensors to smallest and largest values, arrays of one, without those
        whose own range is smaller by more than `FINER`.
    """
    import onnx
    from onnxruntime.quantization.calibrate import create_calibrator

    nodes = [node for node in onnx.load(path).graph.node if node.op_type == "Concat"]
    if not nodes:
        return {}
    augmented = pathlib.Path(path).with_name("concatenations.onnx")
    calibrator = create_calibrator(path, ["Concat"], str(augmented))
    calibrator.collect_data(reader)
    found = {
        name: (np.minimum(data.lowest, 0), np.maximum(data.highest, 0))
        for name, data in calibrator.compute_data().items()
    }
    shared = {}
    for node in reversed(nodes):  # a concatenation of concatenations reaches all of them
        if node.output[0] not in found:  # of integers, such as shapes
            continue
        low, high = shared.get(node.output[0], found[node.output[0]])
        for name in found.keys() & {*node.input}:
            lowest, highest = found[name]
            if high - low <= FINER * (highest - lowest):
                shared[name] = low, high
    return shared
