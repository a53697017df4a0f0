"""The text of an ncnn network, `model.param`, which says what its layers are.

The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

import dataclasses
import re

from keras_ghostnet.export.device.ncnn_model import INPUT, OUTPUT

MAGIC = "7767517"
MASK = "31"  # the parameter that forbids a layer what the options of a network allow
POOLED = re.compile(r'"1,1,//\((\d+),0n\),0n"')  # shape of pooled maps, by way of the batch's size
ENDS, AXES = "-23310", "-23311"  # parameters of Crop: three of rows, columns and channels
ALL_AXES, WHOLE = "3,1,2,0", "-233"
NO_HALF_ARITHMETIC = 1
NO_HALF = NO_HALF_ARITHMETIC | 2 | 4  # nor storage of 16 bits, nor bfloat16
# Layers whose outputs are as wide as what they take first, and those with windows.
AS_WIDE = {"BinaryOp", "Clip", "Concat", "GELU", "HardSigmoid", "HardSwish", "ReLU", "Sigmoid"}
AS_WIDE |= {"Split", "Swish"}
CONVOLUTIONS = {"Convolution", "ConvolutionDepthWise"}
VALID = 1  # the mode of a pooling whose windows are whole


@dataclasses.dataclass
class Layer:
    """A line: a layer, the blobs that it reads and writes, and its parameters by number."""

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    parameters: dict[str, str]

    def has(self, numbers: tuple[str, ...]) -> bool:
        """Whether one of some parameters is there."""
        return not self.parameters.keys().isdisjoint(numbers)

    def number(self, key: str, default: int = 0) -> int:
        """A parameter that is an integer; `default` if it is not there."""
        return int(self.parameters.get(key, default))

    def width_behind(self, width: int) -> int | None:
        """What becomes of a width in pixels; None of layers that are not known here."""
        left = right = 0
        extent = stride = 1
        if self.kind == "Padding":
            left, right = self.number("2"), self.number("3")
        elif self.kind in CONVOLUTIONS:
            left, stride = self.number("4"), self.number("3", 1)
            right, extent = (
                self.number("15", left),
                self.number("2", 1) * (self.number("1") - 1) + 1,
            )
        elif self.kind == "Pooling" and not self.number("4") and self.number("5") == VALID:
            left, stride = self.number("3"), self.number("2", 1)
            right, extent = self.number("14", left), self.number("1")
        elif self.kind not in AS_WIDE and not self.crops_channels():
            return None
        return (width + left + right - extent) // stride + 1

    def crops_channels(self) -> bool:
        """Whether it takes a part of the channels, all rows and all columns of it."""
        ends = self.parameters.get(ENDS, "").split(",")
        axes = self.parameters.get(AXES)
        return self.kind == "Crop" and axes == ALL_AXES and ends[1:3] == [WHOLE, WHOLE]

    def text(self) -> str:
        """The line."""
        parts = [self.kind, self.name, len(self.inputs), len(self.outputs), *self.inputs]
        parts += [*self.outputs, *(f"{key}={value}" for key, value in self.parameters.items())]
        return " ".join(map(str, parts))


@dataclasses.dataclass
class Network:
    """The layers of a network in the order in which they run."""

    layers: list[Layer]

    @classmethod
    def parse(cls, text: str) -> "Network":
        """Reads a `model.param` with one input, which pnnx calls `in0`, and one output, `out0`."""
        magic, _, *lines = text.splitlines()
        if magic.strip() != MAGIC:
            raise ValueError(f"An ncnn network begins with {MAGIC}. Found: {magic[:20]!r}.")
        names = {"in0": INPUT, "out0": OUTPUT}
        layers = []
        for line in filter(str.strip, lines):
            kind, name, inputs, outputs, *rest = line.split()
            start, end = int(inputs), int(inputs) + int(outputs)
            blobs = [names.get(blob, blob) for blob in rest[:end]]
            parameters = dict(part.split("=", 1) for part in rest[end:])
            layers.append(Layer(kind, name, blobs[:start], blobs[start:], parameters))
        return cls(layers)

    def describe_input(self, width: int, height: int, channels: int) -> None:
        """Says how large an image is, which pnnx leaves out."""
        (layer,) = (layer for layer in self.layers if layer.kind == "Input")
        layer.name = INPUT
        layer.parameters = {"0": f"{width}", "1": f"{height}", "2": f"{channels}"}

    def fix_shapes(self) -> None:
        """Says as numbers what pnnx writes as formulas, which ncnn reads since 2025 alone."""
        for layer in self.layers:
            match = POOLED.fullmatch(layer.parameters.get("6", ""))
            if layer.kind == "Reshape" and match:
                layer.parameters = {"0": "1", "1": "1", "2": match[1]}

    def widths(self) -> dict[str, int | None]:
        """The width of every blob in pixels; None behind layers that are not known here."""
        found: dict[str, int | None] = {}
        for layer in self.layers:
            width: int | None
            if layer.inputs:
                before = found[layer.inputs[0]]
                width = before and layer.width_behind(before)
            else:
                width = layer.number("0")
            found.update(dict.fromkeys(layer.outputs, width))
        return found

    def avoid_faulty_kernels(self) -> None:
        """Has ncnn compute in float32 where its kernel of half precision is wrong.

        Depthwise, of 3x3 with strides of 2 and blocks of 8 channels on ARM, it reads the last
        column of the second and third row from the first one where two pixels of a row are left
        behind those that it computes four at a time (`convdw3x3s2_pack8_fp16sa_neon`).
        """
        widths = self.widths()
        for layer in self.layers:
            if layer.kind != "ConvolutionDepthWise" or layer.number("0") % 8:
                continue
            size, stride = layer.number("1"), layer.number("3", 1)
            is_kernel = (size, layer.number("11", size)) == (3, 3) and stride == 2
            width = widths[layer.outputs[0]]
            if is_kernel and (width is None or width % 4 > 1):
                layer.parameters[MASK] = f"{NO_HALF_ARITHMETIC}"

    def forbid_half_precision(self) -> None:
        """Has ncnn compute in float32 whatever the options of the app that runs it."""
        for layer in self.layers:
            layer.parameters[MASK] = f"{NO_HALF}"

    def text(self) -> str:
        """The file's content."""
        blobs = sum(len(layer.outputs) for layer in self.layers)
        lines = [MAGIC, f"{len(self.layers)} {blobs}", *(layer.text() for layer in self.layers)]
        return "".join(f"{line}\n" for line in lines)
