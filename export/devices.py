"""Which formats and options suit which device: what `--device` stands for.

The figures behind the choices are in docs/arm.md and docs/compare.md, by runtime.
"""

import dataclasses
from collections.abc import Mapping

from keras_ghostnet import specs


@dataclasses.dataclass(frozen=True)
class Device:
    """A kind of device.

    Attributes:
        name: What users call it.
        formats: Names of `keras_ghostnet.export.formats.FORMATS`, the first choice first.
        options: Of these formats, as `keras_ghostnet.export.export` takes them.
        why: What the choice rests on, one or two sentences.
    """

    name: str
    formats: tuple[str, ...]
    options: Mapping[str, object]
    why: str


DEVICES = (
    Device(
        "android",
        ("ncnn_fp16", "tflite_fp16"),
        {"target": "arm"},
        "ARM cores since 2018 compute in half precision, which costs no accuracy: in ncnn a "
        "GhostNet takes fewer instructions than in int8. LiteRT is what Android apps know.",
    ),
    Device(
        "iphone",
        ("ncnn_fp16", "tflite_fp16"),
        {"target": "arm"},
        "The same kernels run on Apple's cores. Not measured: none was at hand.",
    ),
    Device(
        "raspberry-pi",
        ("ncnn_fp16", "tflite_int8"),
        {"target": "arm"},
        "A Raspberry Pi 5 has the Cortex-A76's half precision and int8 products; a Raspberry Pi 4 "
        "has neither, and computes the half-precision file in float32.",
    ),
    Device(
        "browser",
        ("web",),
        {},
        "A page that any static server serves: LiteRT.js on WebGPU or WebAssembly.",
    ),
    Device(
        "x86",
        ("tflite_fp32", "tflite_int8"),
        {"target": "host"},
        "In float32, LiteRT, ONNX Runtime and OpenVINO take about as long; in int8, LiteRT was "
        "ahead with AMX, ONNX Runtime without. Without AVX-512, int8 gains little: `--target "
        "measured` tries it here.",
    ),
    Device(
        "nvidia",
        ("onnx_fp16", "onnx_int8"),
        {"runtime": "tensorrt"},
        "TensorRT builds its engine on the GPU itself, from a file: trtexec --onnx=FILE, or the "
        "format tensorrt where the package is installed.",
    ),
    Device(
        "tf-serving",
        ("saved_model",),
        {},
        "With signatures from floats to files, labels, and requests to warm up with.",
    ),
)


def get_device(name: str) -> Device:
    """The device of a name.

    Raises:
        ValueError: If there is none; the message suggests the nearest.
    """
    known = {device.name: device for device in DEVICES}
    if name not in known:
        raise ValueError(
            f"There is no device {name!r}.{specs.suggest(name, known)} `ghostnet devices` lists "
            "them."
        )
    return known[name]
