"""The text of an ncnn network, `model.param`, which says what its layers are.

The format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

import dataclasses
import re

from keras_ghostnet.export.device.ncnn_model import INPUT, OUTPUT

MAGIC = "7767517"
MASK = "31"  # the parameter that forbids a layer what the options of a network allow
POOLED = re.compile(r'"1,1,//\((\d+),0n\),0n"')  # shape of pooled maps, by way of the batch's size
NO_HALF = 1 | 2 | 4  # arithmetic of 16 bits, storage of them, bfloat16


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

    def forbid_half_precision(self) -> None:
        """Has ncnn compute in float32 whatever the options of the app that runs it."""
        for layer in self.layers:
            layer.parameters[MASK] = f"{NO_HALF}"

    def text(self) -> str:
        """The file's content."""
        blobs = sum(len(layer.outputs) for layer in self.layers)
        lines = [MAGIC, f"{len(self.layers)} {blobs}", *(layer.text() for layer in self.layers)]
        return "".join(f"{line}\n" for line in lines)
