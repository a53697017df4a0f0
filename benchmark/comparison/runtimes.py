"""The runtimes that networks are compared in on a CPU, and what each of them runs."""

import dataclasses
from collections.abc import Mapping

from keras_ghostnet import specs
from keras_ghostnet.export import formats

PRECISIONS = ("fp32", "fp16", "int8")


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One runtime.

    Attributes:
        title: What its makers call it.
        package: The distribution that carries it.
        formats: Names of `keras_ghostnet.export.formats.FORMATS`, by precision.
        on_devices: Whether the script that goes to a device runs its files.
    """

    title: str
    package: str
    formats: Mapping[str, str]
    on_devices: bool = True


RUNTIMES = {
    "litert": Runtime(
        "LiteRT",
        "ai-edge-litert",
        {"fp32": "tflite_fp32", "fp16": "tflite_fp16", "int8": "tflite_int8"},
    ),
    "onnxruntime": Runtime(
        "ONNX Runtime", "onnxruntime", {"fp32": "onnx_fp32", "int8": "onnx_int8"}, on_devices=False
    ),
    "openvino": Runtime(
        "OpenVINO", "openvino", {"fp32": "openvino_fp32", "int8": "openvino_int8"}, on_devices=False
    ),
    "ncnn": Runtime("ncnn", "ncnn", {"fp32": "ncnn_fp32", "fp16": "ncnn_fp16"}),
    "mnn": Runtime("MNN", "MNN", {"fp32": "mnn_fp32", "fp16": "mnn_fp16"}),
}


def choose(names, precisions=None, default=PRECISIONS):
    """What is made of every network.

    Args:
        names: Of `RUNTIMES`.
        precisions: Of `PRECISIONS`; each runtime has those of them that it knows.
        default: The precisions if None are given.

    Returns:
        A list of pairs of a runtime's name and a precision.

    Raises:
        ImportError: If a package is missing that one of them needs.
        ValueError: If there is no such runtime or precision, or a runtime has none of them.
    """
    for name in names:
        if name not in RUNTIMES:
            raise ValueError(f"There is no runtime {name!r}.{specs.suggest(name, RUNTIMES)}")
    for precision in precisions or ():
        if precision not in PRECISIONS:
            raise ValueError(
                f"The paper suite has no format {precision!r}."
                f"{specs.suggest(precision, PRECISIONS)}"
            )
    chosen = []
    for name in dict.fromkeys(names):
        known = RUNTIMES[name].formats
        found = [(name, one) for one in precisions or default if one in known]
        if not found:
            raise ValueError(
                f"{RUNTIMES[name].title} runs {', '.join(known)} here. Received: "
                f"{', '.join(precisions)}."
            )
        chosen += found
    for fmt in map(format_of, chosen):
        formats.require_packages(fmt)
    return chosen


def format_of(choice):
    """The `Format` of a runtime's name and a precision."""
    runtime, precision = choice
    return formats.get_format(RUNTIMES[runtime].formats[precision])
