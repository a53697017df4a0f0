"""TFLite metadata: what is in a file's images and outputs, for MediaPipe Tasks and ML Kit.

A FlatBuffer of TensorFlow's `metadata_schema.fbs`, of which no package that is needed anyway has
the classes. MediaPipe and ML Kit take images as uint8 or float32, and normalize float32 alone;
MediaPipe by the same numbers for all channels, which ImageNet's are not: it takes the files that
normalize themselves.
"""

import flatbuffers
import numpy as np

from keras_ghostnet.preprocessing import scale_and_offset

IDENTIFIER = b"M001"
PARSER = "1.0.0"  # the oldest that knows all that is written
# The schema's tables, their fields in its order as far as they are needed.
FIELDS = {
    "AssociatedFile": ("name", "description", "type"),
    "Content": ("content_properties_type", "content_properties"),
    "ImageProperties": ("color_space",),
    "ModelMetadata": (
        "name", "description", "version", "subgraph_metadata", "author", "license",
        "associated_files", "min_parser_version",
    ),
    "NormalizationOptions": ("mean", "std"),
    "ProcessUnit": ("options_type", "options"),
    "SubGraphMetadata": ("name", "description", "input_tensor_metadata", "output_tensor_metadata"),
    "TensorMetadata": (
        "name", "description", "dimension_names", "content", "process_units", "stats",
        "associated_files",
    ),
}  # fmt: skip
# Members of its enumerations and unions.
RGB, IMAGE, NORMALIZATION, AXIS_LABELS = 1, 2, 1, 2


def encode(*, name, labels_file, folded, outputs_are, is_trained=False):
    """The metadata of a classifier.

    Args:
        name: The model's name.
        labels_file: The name of the file of labels that is appended.
        folded: Whether the network takes raw pixels.
        outputs_are: `"logits"` or `"probabilities"`.
        is_trained: Whether it was trained with rounding.

    Returns:
        The bytes of a FlatBuffer.
    """
    mean, std = _normalization(folded)
    normalization = _Table("NormalizationOptions", mean=mean, std=std)
    images = _Table(
        "TensorMetadata",
        name="images",
        description="RGB images" + (", pixels from 0 to 255" if folded else ", normalized"),
        content=_Table(
            "Content",
            content_properties_type=IMAGE,
            content_properties=_Table("ImageProperties", color_space=RGB),
        ),
        process_units=[_Table("ProcessUnit", options_type=NORMALIZATION, options=normalization)],
    )
    file = _Table(
        "AssociatedFile", name=labels_file, description="the classes' names", type=AXIS_LABELS
    )
    outputs = _Table(
        "TensorMetadata", name="outputs", description=outputs_are, associated_files=[file]
    )
    graph = _Table(
        "SubGraphMetadata", input_tensor_metadata=[images], output_tensor_metadata=[outputs]
    )
    model = _Table(
        "ModelMetadata",
        name=name,
        description="image classifier of keras_ghostnet"
        + (", trained with int8 rounding" if is_trained else ""),
        subgraph_metadata=[graph],
        min_parser_version=PARSER,
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.write(builder), IDENTIFIER)
    return bytes(builder.Output())


def _normalization(folded):
    """What pixels in [0, 255] are subtracted and divided by."""
    if folded:
        return np.zeros(1, "float32"), np.ones(1, "float32")
    scale, offset = scale_and_offset()
    return (-offset / scale).astype("float32"), (1 / scale).astype("float32")


class _Table:
    """A table of the schema: its fields are numbers of one byte, texts, arrays, tables, lists."""

    def __init__(self, kind, **values):
        self.values = {FIELDS[kind].index(name): value for name, value in values.items()}

    def write(self, builder):
        """Writes what the table refers to, then the table; returns its offset."""
        written = {slot: _write(builder, value) for slot, value in self.values.items()}
        builder.StartObject(max(written) + 1)
        for slot, value in written.items():
            if isinstance(self.values[slot], int):
                builder.PrependInt8Slot(slot, value, 0)
            else:
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        return builder.EndObject()


def _write(builder, value):
    """A number as it is; the offset of anything else."""
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, _Table):
        return value.write(builder)
    offsets = [table.write(builder) for table in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()
