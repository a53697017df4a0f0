"""`.tflite` files in LiteRT."""

from keras_ghostnet.export.device import run
from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError
from keras_ghostnet.export.tflite.inspection import INSTALL
from keras_ghostnet.quiet import quiet

AFTER = ("QUANTIZE", "SOFTMAX")  # what may follow XNNPACK's part


def load(path, threads=1):
    """A runner for a `.tflite` file.

    Args:
        path: The file.
        threads: The number of threads of LiteRT.

    Returns:
        A `keras_ghostnet.export.device.run.Model`: what runs on devices.

    Raises:
        ImportError: If LiteRT is missing.
        ValueError: If the file is not a network that takes one image at a time.
    """
    try:
        with quiet():
            return run.Model(path, threads)
    except ImportError as error:
        raise ImportError(f"TFLite files run in LiteRT, which is missing. {INSTALL}") from error


def check_partition(path):
    """Refuses a network that XNNPACK does not run as a whole.

    What stands around it is allowed, since it costs next to nothing: the QUANTIZE between a uint8
    input or output and int8, and a last SOFTMAX, of which XNNPACK has no int8 kernel.

    Raises:
        ValueError: If operators are left over, or lie between parts.
    """
    interpreter = load(path).interpreter
    # There is no public way to the delegated parts: LiteRT only logs their number.
    operators = interpreter._get_ops_details()
    parts = [operator for operator in operators if operator["op_name"] == "DELEGATE"]
    inputs, outputs = (
        {detail["index"] for detail in details}
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    for operator in operators:
        if operator["op_name"] == "QUANTIZE" and _tensors(operator, "inputs") == inputs:
            inputs = _tensors(operator, "outputs")
    delegated = [_tensors(part, "outputs") for part in parts]
    for operator in reversed(operators):  # with those that XNNPACK has taken over
        follows = operator["op_name"] in AFTER and _tensors(operator, "outputs") == outputs
        if follows and outputs not in delegated:
            outputs = _tensors(operator, "inputs")
    if not (delegated == [outputs] and inputs <= _tensors(parts[0], "inputs")):
        left = [operator for operator in _outside(operators, parts) if operator["outputs"].size]
        names = {detail["index"]: detail["name"] for detail in interpreter.get_tensor_details()}
        raise UnsupportedOperatorError(
            f"XNNPACK runs the TFLite file in {len(parts)} parts or leaves operators over, "
            f"expected all in one: {', '.join(sorted({one['op_name'] for one in left}))}",
            (names.get(int(operator["outputs"][0]), "") for operator in left),
        )


def _outside(operators, parts):
    """The operators that are in none of XNNPACK's parts."""
    plain = [operator for operator in operators if operator["op_name"] != "DELEGATE"]
    producers = {tensor: operator for operator in plain for tensor in _tensors(operator, "outputs")}
    inside = set()
    for part in parts:
        ends, tensors = _tensors(part, "inputs"), list(_tensors(part, "outputs"))
        while tensors:
            operator = producers.get(tensors.pop())
            if operator is not None and operator["index"] not in inside:
                inside.add(operator["index"])
                tensors.extend(_tensors(operator, "inputs") - ends)
    return [operator for operator in plain if operator["index"] not in inside]


def _tensors(operator, kind):
    return set(operator[kind].tolist())


def check_pixels(path):
    """Refuses a file one step of whose input is not one gray level.

    Raises:
        ValueError: If the input's scale is not 1 or its zero point not 0.
    """
    scale, zero_point = load(path).input["quantization"]
    if abs(scale - 1) > 1e-6 or zero_point:
        raise ValueError(
            f"The TFLite file's input has the scale {scale} and the zero point {zero_point}, "
            "expected 1 and 0."
        )
