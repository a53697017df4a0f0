"""Runs and times `.tflite` files on a device. Copy this one file there.

It needs NumPy and LiteRT (`pip install numpy ai-edge-litert`; the older `tflite_runtime` will do),
no TensorFlow and no Keras:

    python run.py model.tflite --inputs images.npz --outputs logits.npz
    python run.py model.tflite other.tflite --time --threads 4
"""

import argparse
import os
import platform
import sys
import time

import numpy as np


class Model:
    """A `.tflite` file with one input and one output, in LiteRT.

    Args:
        path: The file.
        threads: How many threads LiteRT uses.

    Attributes:
        input_shape: Of one image, `(height, width, 3)`.
        step: What one step of an integer output stands for; 0 for a float output.

    Raises:
        ImportError: If LiteRT is missing.
        ValueError: If the file is not a network that takes one image at a time.
    """

    def __init__(self, path, threads=1):
        interpreter_class = _interpreter_class()
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no file {path}.")
        self.interpreter = interpreter_class(model_path=str(path), num_threads=threads)
        self.interpreter.allocate_tensors()
        self.input = _only(self.interpreter.get_input_details(), "input", path)
        self.output = _only(self.interpreter.get_output_details(), "output", path)
        batch, *shape = map(int, self.input["shape"])
        if batch != 1:
            raise ValueError(f"{path} takes {batch} images at a time. Export it for one.")
        self.input_shape = tuple(shape)
        self.step = float(self.output["quantization"][0])

    def __call__(self, images):
        """Runs images one by one.

        Args:
            images: `(n, *input_shape)`: values in the unit that the network was trained on, or
                the integers of an integer input as they are.

        Returns:
            Outputs `(n, ...)`, float32; those of an integer output are dequantized.

        Raises:
            ValueError: If the images' shape or type does not fit.
        """
        images = np.asarray(images)
        if images.shape[1:] != self.input_shape or not len(images):
            raise ValueError(
                f"The network takes images of shape (n, {', '.join(map(str, self.input_shape))}). "
                f"Received: {images.shape}."
            )
        return np.concatenate([self._run(image) for image in images])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`, to be timed.

        It does not quantize the image: on a device, a camera's bytes are quantized already.
        """
        self(image[None])
        return self.interpreter.invoke

    def _run(self, image):
        self.interpreter.set_tensor(self.input["index"], self._quantize(image[None]))
        self.interpreter.invoke()
        values = self.interpreter.get_tensor(self.output["index"])
        if not self.step:
            return values.astype("float32")
        zero_point = self.output["quantization"][1]
        return ((values.astype("float32") - zero_point) * self.step).astype("float32")

    def _quantize(self, values):
        dtype = self.input["dtype"]
        if values.dtype == dtype:
            return values
        if values.dtype.kind != "f":
            raise ValueError(
                f"The network's input is {np.dtype(dtype)}. Received images of {values.dtype}: "
                "give the network's own type, or floats."
            )
        scale, zero_point = self.input["quantization"]
        if not scale:
            return values.astype(dtype)
        limits = np.iinfo(dtype)
        return (np.rint(values / scale) + zero_point).clip(limits.min, limits.max).astype(dtype)


def measure(models, calls=100, burst=10, warmup=10):
    """Times models in turn, so that a busy spell of the device meets all of them alike.

    Args:
        models: A dict of names and `Model`s.
        calls: How many inferences of each to time, rounded up to whole bursts.
        burst: Inferences in a row, with the network's data in the caches as in steady use.
        warmup: Inferences of each that are not timed.

    Returns:
        A dict of names and the times of all inferences in milliseconds, an array.
    """
    times = {name: [] for name in models}
    invokes = {name: model.interpreter.invoke for name, model in models.items()}
    for invoke in invokes.values():
        for _ in range(warmup):
            invoke()
    for _ in range(-(-calls // burst)):
        for name, invoke in invokes.items():
            for _ in range(burst):
                start = time.perf_counter()
                invoke()
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: np.array(values) for name, values in times.items()}


def _interpreter_class():
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError as error:
            raise ImportError(
                "LiteRT is missing. Install it with: pip install ai-edge-litert"
            ) from error
    return Interpreter


def _only(details, kind, path):
    if len(details) != 1:
        raise ValueError(f"{path} has {len(details)} {kind}s, expected one.")
    return details[0]


def _read(path):
    """The only array of an `.npz` file."""
    with np.load(path, allow_pickle=False) as arrays:
        if len(arrays.files) != 1:
            raise ValueError(f"{path} holds {len(arrays.files)} arrays, expected one: the images.")
        return arrays[arrays.files[0]]


def _write(path, **arrays):
    """An `.npz` file that appears whole or not at all."""
    partial = f"{path}.partial-{os.getpid()}"
    try:
        with open(partial, "wb") as file:
            np.savez(file, **arrays)
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def _print_times(times, threads):
    print(f"{platform.machine()}, {platform.system()} {platform.release()}, {threads} threads")
    print(f"{'median ms':>10}{'10 %':>9}{'90 %':>9}  model")
    for name, values in times.items():
        p10, median, p90 = np.percentile(values, (10, 50, 90))
        print(f"{median:10.3f}{p10:9.3f}{p90:9.3f}  {name}")


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a .tflite file")
    parser.add_argument("--inputs", metavar="NPZ", help="images (n, height, width, 3), one array")
    parser.add_argument(
        "--outputs", metavar="NPZ", help="the file to write: `outputs`, and the `step` of integers"
    )
    parser.add_argument("--time", action="store_true", help="time the models, interleaved")
    parser.add_argument("--threads", type=_positive, default=1, help="default: 1")
    parser.add_argument("--calls", type=_positive, default=100, help="timed, default: 100")
    parser.add_argument("--burst", type=_positive, default=10, help="in a row, default: 10")
    parser.add_argument("--warmup", type=int, default=10, help="not timed, default: 10")
    return parser


def main(argv=None):
    """The command. Returns its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.time == bool(args.inputs or args.outputs):
        parser.error("give either --time, or --inputs and --outputs")
    if not args.time and not (args.inputs and args.outputs and len(args.models) == 1):
        parser.error("--inputs and --outputs go together, with one MODEL")
    try:
        models = {path: Model(path, args.threads) for path in args.models}
        if args.time:
            _print_times(measure(models, args.calls, args.burst, args.warmup), args.threads)
        else:
            (model,) = models.values()
            _write(args.outputs, outputs=model(_read(args.inputs)), step=np.float32(model.step))
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
