"""Runs IR files in OpenVINO, on the CPU."""

import pathlib

import numpy as np

from keras_ghostnet.export.openvino import libraries

XML, BIN = "model.xml", "model.bin"  # the graph and the weights, in the folder
SECTION, LABELS = "model_info", "labels"  # of the rt_info: what is told of a classifier


def load(path, threads=1):
    """A runner for the folder of an IR file with one input and one output.

    Args:
        path: The folder.
        threads: The number of threads of OpenVINO.

    Raises:
        ImportError: If OpenVINO is missing.
        ValueError: If it is no network of images.
    """
    return OpenVINORunner(path, threads)


def read(path):
    """The `openvino.Model` of a folder.

    Raises:
        ImportError: If OpenVINO is missing.
        ValueError: If OpenVINO cannot read it; the message says why.
    """
    openvino, path = libraries.load("openvino"), pathlib.Path(path)
    try:
        return openvino.Core().read_model(path / XML, path / BIN)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[-300:]
        raise ValueError(
            f"{path.name} cannot be read by OpenVINO {openvino.__version__}: {reason} It is "
            "damaged, or of another version. Export again."
        ) from None


class OpenVINORunner:
    """Runs an IR file on the CPU, in float32 where it holds floats.

    OpenVINO itself computes floats as bfloat16 where a processor has matrix units for that.
    """

    def __init__(self, path, threads=1):
        openvino, model = libraries.load("openvino"), read(path)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ValueError(f"{path} has more than one input or output.")
        self._network = openvino.Core().compile_model(
            model,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
                "EXECUTION_MODE_HINT": "ACCURACY",
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )
        self._request = self._network.create_infer_request()

    def __call__(self, images):
        if not np.isfinite(images).all():  # of which int8 would make numbers
            raise ValueError("Images must be finite numbers. Received: NaN or infinity among them.")
        return np.concatenate([self._run(image[None]) for image in images])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`."""
        self._run(image[None])
        return self._request.infer

    def _run(self, images):
        (outputs,) = self._request.infer([np.ascontiguousarray(images, "float32")]).values()
        return np.array(outputs, "float32")  # a copy, as the request's own are written again
