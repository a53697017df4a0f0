"""Runs and times artifacts on a device. For `.tflite` files, copy this one file there.

It needs NumPy and LiteRT (`pip install numpy ai-edge-litert`; the older `tflite_runtime` will do),
no TensorFlow and no Keras. For `.ncnn` folders copy `ncnn_model.py` beside it (`pip install ncnn`),
for `.mnn` files `mnn_model.py` (`pip install MNN`), for photographs `images.py` (Pillow).

    python run.py model.tflite --inputs images.npz --outputs logits.npz
    python run.py model.tflite --inputs photos --outputs logits.npz    # with images.py
    python run.py model.tflite model_fp16.ncnn model_fp16.mnn --time --threads 4
    python run.py models.json --csv device.csv    # of `ghostnet compare --export-only`
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import platform
import signal
import struct
import sys
import time
import warnings

import numpy as np

# Of a guarded process: seconds that a runtime may take to load a file or to run it once, and bytes.
SECONDS, MEMORY = 30, 2 << 30
guarded, UNGUARDED = False, "RUN_UNGUARDED"  # whether this is one; environment that forbids it
# What runs artifacts other than `.tflite` files, by the end of their names: files beside this one.
MODULES = {".ncnn": "ncnn_model", ".mnn": "mnn_model"}


class ImageModel:
    """A network that runs images one by one. Those of the runtimes derive from it.

    Attributes:
        path: The file.
        input_shape, dtype: Of one image, `(height, width, 3)`, and its values.
        step: What one step of an integer output stands for; 0 for a float output.
        runtime: Its name; version: its package and version, as in `"ai-edge-litert 2.3.0"`.
        invoke: Runs the last image again, to be timed.
    """

    step, dtype = 0.0, np.dtype("float32")

    def __call__(self, images):
        """Runs images.

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
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            raise ValueError("Images must be finite numbers. Received: NaN or infinity among them.")
        return np.concatenate([self._run(image) for image in images])

    def single(self, image):
        """A function without arguments that runs one image `(height, width, 3)`, to be timed.

        It does not convert the image: on a device, a camera's bytes have the type already.
        """
        self(image[None])
        return self.invoke


class Model(ImageModel):
    """A `.tflite` file that takes one image, in LiteRT, with so many threads.

    Raises:
        ImportError: If LiteRT is missing.
        ValueError: If the file is no such network.
    """

    runtime = "litert"

    def __init__(self, path, threads=1):
        interpreter_class = _interpreter_class()
        self.path = path
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no file {path}.")
        with deadline():
            _require_sound(path)
            self.interpreter = interpreter_class(model_path=str(path), num_threads=threads)
            self.input = _only(self.interpreter.get_input_details(), "input", path)
            self.output = _only(self.interpreter.get_output_details(), "output", path)
            batch, *shape = map(int, self.input["shape"])
            if batch != 1:
                raise ValueError(f"{path} takes {batch} images at a time. Export it for one.")
            self.interpreter.allocate_tensors()
            if guarded:
                self.interpreter.invoke()
        self.input_shape, self.dtype = tuple(shape), np.dtype(self.input["dtype"])
        self.step = float(self.output["quantization"][0])
        self.invoke = self.interpreter.invoke
        package = interpreter_class.__module__.partition(".")[0]
        version = getattr(sys.modules[package], "__version__", "of unknown version")
        self.version = f"{package} {version}".replace("_", "-")

    def resize(self, batch):
        """Makes `invoke` run so many images at a time, to be timed."""
        self.interpreter.resize_tensor_input(self.input["index"], (batch, *self.input_shape))
        self.interpreter.allocate_tensors()

    def _run(self, image):
        self.interpreter.set_tensor(self.input["index"], self._quantize(image[None]))
        with deadline():
            self.interpreter.invoke()
        values = self.interpreter.get_tensor(self.output["index"])
        if not self.step:
            return values.astype("float32")
        zero_point = self.output["quantization"][1]
        return ((values.astype("float32") - zero_point) * self.step).astype("float32")

    def _quantize(self, values):
        dtype = self.dtype
        if values.dtype == dtype:
            return values
        if values.dtype.kind != "f":
            raise ValueError(
                f"The network's input is {dtype}. Received images of {values.dtype}: "
                "give the network's own type, or floats."
            )
        scale, zero_point = self.input["quantization"]
        if not scale:
            return values.astype(dtype)
        limits = np.iinfo(dtype)
        return (np.rint(values / scale) + zero_point).clip(limits.min, limits.max).astype(dtype)


def open_model(path, threads=1):
    """The `ImageModel` of an artifact's runtime, by the end of its name, with so many threads.

    Raises:
        ImportError: If the runtime is missing, or the file that uses it.
        ValueError: If the artifact is not a network that takes one image.
    """
    module = MODULES.get(os.path.splitext(os.path.normpath(path))[1])
    return (beside(module).Model if module else Model)(path, threads)


def beside(name):
    """A module beside this file, which on a device knows this one as `run`."""
    if __package__:
        return importlib.import_module(f"{__package__}.{name}")
    sys.modules.setdefault("run", sys.modules[__name__])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    if not os.path.isfile(path):
        raise ImportError(f"{path} is missing. Copy it there.")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def guard(memory=MEMORY):
    """Has the system end this process when it takes too much, or when its parent ends."""
    global guarded
    guarded = True
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(AttributeError, OSError, TypeError):  # Linux has it
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextlib.contextmanager
def deadline():
    """Has the system end a guarded process if the body takes longer than it may."""
    alarm = getattr(signal, "alarm", None) if guarded else None
    before = alarm and alarm(SECONDS)
    try:
        yield
    finally:
        if alarm:
            alarm(before)


def cause(code):
    """Why a guarded process ended without a word, in words."""
    if code == -signal.SIGALRM:
        return f"took longer than {SECONDS} s"
    return f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with code {code}"


def rounds(functions, calls=100, burst=10, warmup=10, lead=0, times=None):
    """Times functions in turn, so that a busy spell of the device meets all of them alike.

    Args:
        functions: A dict of names and functions without arguments.
        calls: The number of calls to time of each, rounded up to whole bursts.
        burst: Calls in a row, with the function's data in the caches as in steady use.
        warmup, lead: Calls that are not timed, at the start and in front of every burst.
        times: A dict of names and lists of earlier times, which are added to.

    Yields:
        After every round, a dict of names and lists of milliseconds.
    """
    times = {name: [] for name in functions} if times is None else times
    for function in functions.values():
        for _ in range(warmup):
            function()
    while min(map(len, times.values())) < calls:
        for name, function in functions.items():
            for _ in range(lead):
                function()
            for _ in range(burst):
                start = time.perf_counter()
                function()
                times[name].append((time.perf_counter() - start) * 1e3)
        yield times


def measure(models, calls=100, burst=10, warmup=10):
    """Times a dict of names and `Model`s as `rounds` does; names and arrays of milliseconds."""
    *_, times = rounds({name: each.invoke for name, each in models.items()}, calls, burst, warmup)
    return {name: np.array(values) for name, values in times.items()}


def _require_sound(path):
    """Refuses convolutions without filters, or with too few biases: LiteRT does not look."""
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError:  # tflite_runtime has none
        return
    kinds = schema.BuiltinOperator
    axes = {kinds.CONV_2D: 0, kinds.DEPTHWISE_CONV_2D: 3, kinds.FULLY_CONNECTED: 0}  # of outputs
    with open(path, "rb") as file:
        content = file.read()
    try:
        model, options = schema.Model.GetRootAs(content), schema.DepthwiseConv2DOptions()
        codes = list(map(model.OperatorCodes, range(model.OperatorCodesLength())))
        for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
            for operator in map(graph.Operators, range(graph.OperatorsLength())):
                code = codes[operator.OpcodeIndex()]
                kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
                if kind not in axes:
                    continue
                inputs = operator.InputsAsNumpy()
                if min(inputs[:2]) < 0:
                    raise ValueError("a convolution lacks its images or filters")
                images, filters, *bias = (graph.Tensors(i).ShapeAsNumpy() for i in inputs if i >= 0)
                counts = [np.prod(shape) for shape in bias]
                if kind == kinds.DEPTHWISE_CONV_2D:
                    options.Init(content, operator.BuiltinOptions().Pos)
                    counts.append(images[3] * options.DepthMultiplier())
                if any(count != filters[axes[kind]] for count in counts):
                    raise ValueError("filters have another number of channels or biases")
    except (ValueError, TypeError, LookupError, AttributeError, struct.error) as error:
        raise ValueError(f"{path} is no TFLite file, or is damaged: {error}.") from error


def _interpreter_class():
    for package in ("ai_edge_litert", "tflite_runtime"):
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(f"{package}.interpreter").Interpreter
    raise ImportError("LiteRT is missing. Install it with: pip install ai-edge-litert")


def _only(details, kind, path):
    if len(details) != 1:
        raise ValueError(f"{path} has {len(details)} {kind}s, expected one.")
    return details[0]


def read_inputs(path, model):
    """What the network takes, of an array in a file, or of image files."""
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
        paths = [os.path.join(path, name) for name in names]
        return beside("images").read([each for each in paths if os.path.isfile(each)], path, model)
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):  # what it says of other files is how to load them unsafely
        return beside("images").read([path], path, model)
    if isinstance(content, np.ndarray):
        return content
    with content as arrays:
        if len(arrays.files) != 1:
            raise ValueError(f"{path} holds {len(arrays.files)} arrays, expected one: the images.")
        return arrays[arrays.files[0]]


@contextlib.contextmanager
def replacing(path, *args, **kwargs):
    """An open file that appears whole or not at all."""
    partial = f"{path}.partial-{os.getpid()}"
    try:
        with open(partial, *args, **kwargs) as file:
            yield file
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
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an artifact; models.json")
    parser.add_argument(
        "--inputs",
        metavar="PATH",
        help="an .npz or .npy file of one array, images (n, height, width, 3) as the network takes "
        "them; or an image file or a folder of them",
    )
    parser.add_argument(
        "--outputs", metavar="NPZ", help="the file to write: `outputs`, and the `step` of integers"
    )
    parser.add_argument("--time", action="store_true", help="time the models, interleaved")
    parser.add_argument("--csv", metavar="FILE", help="time those of models.json into a new file")
    parser.add_argument("--device", metavar="NAME", help="its name in the CSV (default: found)")
    parser.add_argument("--threads", type=_positive, default=1, help="default: 1")
    parser.add_argument("--calls", type=_positive, default=100, help="timed, default: 100")
    parser.add_argument("--burst", type=_positive, default=10, help="in a row, default: 10")
    parser.add_argument("--warmup", type=int, default=10, help="not timed, default: 10")
    return parser


def main(argv=None):
    """The command. Returns its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.time + bool(args.csv) + bool(args.inputs or args.outputs) != 1:
        parser.error("give either --csv, or --time, or --inputs and --outputs")
    if bool(args.inputs) != bool(args.outputs) or (not args.time and len(args.models) > 1):
        parser.error("--inputs and --outputs go together, with one MODEL; --csv is for one, too")
    try:
        if args.csv:
            beside("table").run_table(args)
        elif args.time:
            models = {path: open_model(path, args.threads) for path in args.models}
            _print_times(measure(models, args.calls, args.burst, args.warmup), args.threads)
        else:
            model = open_model(args.models[0], args.threads)
            outputs = model(read_inputs(args.inputs, model))
            with replacing(args.outputs, "wb") as file:
                np.savez(file, outputs=outputs, step=np.float32(model.step))
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # whatever a damaged file causes
        print(f"error: a file is damaged, or of another kind: {error!r}", file=sys.stderr)
        return 1
    return 0


def _split():
    """Goes on in a process of its own, which alone ends if a file breaks its runtime."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's threads, which the child does without
        child = os.fork()
    if not child:
        os.setsid()  # Ctrl-C reaches the parent, which passes it on
        guard(max(MEMORY, pages // 2))
        return
    while True:
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            break
        except KeyboardInterrupt:
            os.kill(child, signal.SIGINT)
    sys.exit(
        code if code >= 0 else f"error: the runtime {cause(code)}: a file is damaged, or too large"
    )


if __name__ == "__main__":
    if hasattr(os, "fork") and UNGUARDED not in os.environ:
        _split()
    sys.exit(main())
