"""Runs MNN networks. On a device it lies beside `run.py`, and needs NumPy and MNN."""

import contextlib
import ctypes
import os
import sys

import numpy as np

if __package__:
    from keras_ghostnet.export.device import run
else:  # copied to a device
    import run  # type: ignore[import-not-found,no-redef]

INPUT, OUTPUT = "images", "outputs"
HALF = "float16"  # at the end of a file's `bizCode`, if it is to be computed with in half precision


class Model(run.ImageModel):
    """A `.mnn` file that takes one image, in MNN on the CPU.

    Args:
        path: The file.
        threads: The number of threads of MNN.
        precision: Of the arithmetic, `"float32"` or, where the processor can, `"float16"`; None
            takes what the file was exported for.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If MNN is missing.
        ValueError: If MNN cannot read the network, or it takes something else than an image.
    """

    runtime = "mnn"

    def __init__(self, path, threads=1, precision=None):
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no file {path}.")
        self.path = path
        with run.deadline(), _silence():
            try:
                import MNN
            except ImportError as error:
                raise ImportError("MNN is missing. Install it with: pip install MNN") from error
            self.version = f"MNN {MNN.version()}"
            MNN.expr.set_thread_number(1)  # or threads of its own spin while nothing is computed
            plain = MNN.nn.create_runtime_manager(({"numThread": 1, "backend": "CPU"},))
            try:
                info = MNN.nn.load_module_from_file(
                    str(path), [INPUT], [OUTPUT], runtime_manager=plain
                ).get_info()
                images = MNN.expr.load_as_dict(str(path))[INPUT]
                batch, *shape = images.shape
            except (SystemError, KeyError, RuntimeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{self.version} cannot read {path}: it is damaged, has no input {INPUT!r} and "
                    f"output {OUTPUT!r}, or is of another version of MNN. Export it again."
                ) from error
            if (batch, len(shape), images.data_format) != (1, 3, MNN.expr.NCHW):
                raise ValueError(
                    f"{path} takes {images.shape}, expected one image, channels first."
                )
            half = info["bizCode"].endswith(HALF) if precision is None else precision == HALF
            options = {
                "numThread": threads,
                "backend": "CPU",
                "precision": "low" if half else "high",
            }
            self._manager = MNN.nn.create_runtime_manager((options,))
            self._module = MNN.nn.load_module_from_file(
                str(path), [INPUT], [OUTPUT], runtime_manager=self._manager, shape_mutable=False
            )
        channels, height, width = shape
        self.input_shape, self._expr = (height, width, channels), MNN.expr
        self._take(np.zeros(self.input_shape))
        if run.guarded:
            self.invoke()

    def _run(self, image):
        self._take(image)
        return self.invoke()

    def _take(self, image):
        values = np.ascontiguousarray(image.transpose(2, 0, 1)[None], "float32")
        self._image = self._expr.const(values, list(values.shape), self._expr.NCHW)

    def invoke(self):
        with run.deadline():
            outputs = self._module.forward([self._image])
            if not outputs:
                raise ValueError(f"MNN cannot run {self.path}: it is damaged, or memory is short.")
            values = np.array(outputs[0].read(), "float32")
            return values if values.ndim == 4 else values.reshape(1, -1)


@contextlib.contextmanager
def _silence():
    """Keeps MNN from printing what the processor can, which it does without being asked."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        with contextlib.suppress(AttributeError, OSError, TypeError):  # not on Windows
            ctypes.CDLL(None).fflush(None)  # what C has not written yet
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)
