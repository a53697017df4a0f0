"""Runs ONNX files in ONNX Runtime."""

import numpy as np

from keras_ghostnet import extras

BATCH = 32  # images at a time: memory stays bounded


def load(path, threads=1):
    """A runner for an `.onnx` file with one input and one output.

    Args:
        path: The file.
        threads: The number of threads of ONNX Runtime.

    Raises:
        ImportError: If ONNX Runtime is missing.
    """
    return ONNXRunner(path, threads)


def layout_of(shape):
    """`"NHWC"` or `"NCHW"`, of a batch of images with fewer channels than pixels in a row."""
    return "NCHW" if shape[1] < shape[3] else "NHWC"


def arrange(images, shape, dtype="float32"):
    """NHWC images in the layout of an input of this shape (its batch counts for nothing)."""
    if layout_of(shape) == "NCHW":
        images = np.transpose(images, (0, 3, 1, 2))
    return np.ascontiguousarray(images, dtype)


class ONNXRunner:
    """Runs an ONNX file on the CPU. It takes NHWC images whatever the file's own layout."""

    def __init__(self, path, threads=1):
        self.session = Session(str(path), threads)

    def __call__(self, images):
        if not np.isfinite(images).all():  # of which int8 would make numbers
            raise ValueError("Images must be finite numbers. Received: NaN or infinity among them.")
        starts = range(0, len(images), BATCH)
        return np.concatenate([self._run(images[start : start + BATCH]) for start in starts])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`.

        It does not bring the image into the file's layout and type: a device has it in them.
        """
        return self.session.bind(image[None])

    def _run(self, images):
        (outputs,) = self.session.run(images).values()
        return outputs.astype("float32")


class Session:
    """A network in ONNX Runtime, fed with NHWC images."""

    def __init__(self, network, threads=1):
        """Loads a network.

        Args:
            network: A path, or the bytes of a file.
            threads: The number of threads.
        """
        extras.require("onnxruntime", purpose="An ONNX file", extra="onnx")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        (self._input,) = self._session.get_inputs()
        self._type = {"tensor(float)": "float32", "tensor(float16)": "float16"}[self._input.type]
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, images):
        """All outputs by name, for images `(n, height, width, 3)`."""
        return dict(zip(self._names, self.bind(images)(), strict=True))

    def bind(self, images):
        """A function without arguments that runs the given images."""
        feed = {self._input.name: arrange(images, self._input.shape, self._type)}
        return lambda: self._session.run(self._names, feed)
