"""`.tflite` files in LiteRT."""

from keras_ghostnet.export.device import run
from keras_ghostnet.export.tflite.inspection import INSTALL
from keras_ghostnet.quiet import quiet


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

    A uint8 input or output becomes int8 by a QUANTIZE outside of it, which XNNPACK does not know.

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
        if operator["op_name"] == "QUANTIZE":
            taken, given = set(operator["inputs"].tolist()), set(operator["outputs"].tolist())
            inputs, outputs = (
                given if taken == inputs else inputs,
                taken if given == outputs else outputs,
            )
    whole = (
        len(parts) == 1
        and inputs <= set(parts[0]["inputs"].tolist())
        and outputs == set(parts[0]["outputs"].tolist())
    )
    if not whole:
        names = sorted({operator["op_name"] for operator in operators} - {"DELEGATE"})
        raise ValueError(
            f"XNNPACK runs the TFLite file in {len(parts)} parts or leaves operators over, "
            f"expected all in one. Its operators: {', '.join(names)}."
        )


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
