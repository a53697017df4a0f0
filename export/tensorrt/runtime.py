"""Runs TensorRT engines."""

import pathlib
import weakref

import numpy as np

from keras_ghostnet.export.onnx.runtime import arrange
from keras_ghostnet.export.tensorrt.dependencies import import_cuda, import_tensorrt


def load(path, threads=1):
    """A runner for a plan file.

    Args:
        path: The file.
        threads: Of no effect: the GPU computes.

    Raises:
        ImportError: If TensorRT or cuda-python is missing.
        ValueError: If the plan is for another GPU or version of TensorRT.
    """
    return TensorRTRunner(path)


class TensorRTRunner:
    """Runs an engine with one input and one output on the first GPU.

    It takes NHWC images whatever the engine's own layout.
    """

    def __init__(self, path):
        trt, cuda = import_tensorrt(), import_cuda()
        runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        engine = runtime.deserialize_cuda_engine(pathlib.Path(path).read_bytes())
        if engine is None:
            raise ValueError(
                f"{path} does not fit this GPU and TensorRT {trt.__version__}. Build it here."
            )
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        modes = {engine.get_tensor_mode(name): name for name in names}
        self._input, self._output = (
            modes[mode] for mode in (trt.TensorIOMode.INPUT, trt.TensorIOMode.OUTPUT)
        )
        self._types = {name: trt.nptype(engine.get_tensor_dtype(name)) for name in names}
        self._shape = tuple(engine.get_tensor_shape(self._input))
        largest = tuple(engine.get_tensor_profile_shape(self._input, 0)[-1])
        self._batch = largest[0]
        self._runtime, self._engine = runtime, engine
        self._context = engine.create_execution_context()
        self._memory = _Memory(cuda)
        outputs = (self._batch, *tuple(engine.get_tensor_shape(self._output))[1:])
        for name, shape in ((self._input, largest), (self._output, outputs)):
            pointer = self._memory.allocate(np.dtype(self._types[name]).itemsize * np.prod(shape))
            self._context.set_tensor_address(name, pointer)

    def __call__(self, images):
        starts = range(0, len(images), self._batch)
        return np.concatenate([self._run(images[start : start + self._batch]) for start in starts])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`.

        The image is on the GPU already, and the outputs stay there.
        """
        self._send(image[None])
        return self._compute

    def _run(self, images):
        self._send(images)
        self._compute()
        shape = tuple(self._context.get_tensor_shape(self._output))
        outputs = np.empty(shape, self._types[self._output])
        self._memory.copy_to_host(outputs, self._context.get_tensor_address(self._output))
        return outputs.astype("float32")

    def _send(self, images):
        images = arrange(images, self._shape, self._types[self._input])
        if not self._context.set_input_shape(self._input, images.shape):
            raise ValueError(f"The engine does not take {images.shape}: see its batches and size.")
        self._memory.copy_to_device(self._context.get_tensor_address(self._input), images)

    def _compute(self):
        if not self._context.execute_async_v3(self._memory.stream):
            raise RuntimeError("TensorRT could not run the engine.")
        self._memory.wait()


class _Memory:
    """A stream and buffers on the GPU, freed with this object."""

    def __init__(self, cuda):
        self._cuda = cuda
        self.stream = int(_checked(cuda.cudaStreamCreate()))
        weakref.finalize(self, cuda.cudaStreamDestroy, self.stream)

    def allocate(self, size):
        pointer = _checked(self._cuda.cudaMalloc(int(size)))
        weakref.finalize(self, self._cuda.cudaFree, pointer)
        return pointer

    def copy_to_device(self, pointer, array):
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        _checked(self._cuda.cudaMemcpy(pointer, array.ctypes.data, array.nbytes, kind))

    def copy_to_host(self, array, pointer):
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _checked(self._cuda.cudaMemcpy(array.ctypes.data, pointer, array.nbytes, kind))

    def wait(self):
        _checked(self._cuda.cudaStreamSynchronize(self.stream))


def _checked(result):
    """The value of a CUDA call, which returns a tuple that starts with an error code."""
    error, *values = result
    if error.value:
        raise RuntimeError(f"CUDA failed: {error.name}.")
    return values[0] if values else None
