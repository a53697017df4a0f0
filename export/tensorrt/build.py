"""From an ONNX file to a TensorRT engine, and the command that does the same."""

import pathlib
import shlex
import tempfile

from keras_ghostnet import files
from keras_ghostnet.export.onnx import export as export_onnx
from keras_ghostnet.export.tensorrt import precision
from keras_ghostnet.export.tensorrt.dependencies import import_tensorrt
from keras_ghostnet.export.tensorrt.inspection import TensorRTError, check_for_tensorrt

BATCHES = (1, 8, 32)
WORKSPACE = 1 << 30


def export(model, path, dtype="float16", calibration=None, layout="NCHW", **options):
    """Builds an engine for the GPU of this machine from a Keras model.

    Args:
        model: As `keras_ghostnet.export.onnx.export`.
        path: The plan file to create.
        dtype: `"float16"`, `"float32"` or `"int8"`. Int8 is often slower than float16 for
            depthwise and grouped convolutions: measure both.
        calibration: Images `(n, height, width, 3)`, needed for int8; for float16, if given, they
            tell whether its range is enough.
        layout: Of the images the engine expects, `"NCHW"`, or `"NHWC"` with a transposition.
        **options: Of `build`.

    Raises:
        ImportError: If TensorRT is missing.
        ValueError: As `keras_ghostnet.export.onnx.export` and `build`.
    """
    import_tensorrt()  # before long work
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "network.onnx"
        export_onnx(model, source, dtype, calibration, layout, runtime="tensorrt")
        build(source, path, **options)


def build(source, path, batches=BATCHES, workspace=WORKSPACE, timing_cache=None, tf32=False):
    """Builds an engine for the GPU of this machine from an ONNX file.

    The network is strongly typed: every layer computes in the type that the file gives it.

    Args:
        source: An `.onnx` file as `keras_ghostnet.export.onnx` writes it.
        path: The plan file to create. It fits this GPU model and this version of TensorRT.
        batches: The smallest batch, the one to be fastest at, the largest.
        workspace: The most bytes of GPU memory that a layer may use for scratch.
        timing_cache: A file that keeps measurements for later builds; created if there is none.
        tf32: Whether float32 convolutions may be computed in TF32, with 10 bits of mantissa:
            TensorRT's own default, but a loss of precision.

    Raises:
        ImportError: If TensorRT is missing.
        TensorRTError: If the file breaks TensorRT's rules, or TensorRT does not take it; the
            message has TensorRT's own words.
        ValueError: If the batches are not in order, or the timing cache is of another GPU or
            version.
    """
    trt = import_tensorrt()
    import onnx

    shapes = _shapes(source, batches)
    file = onnx.load(source)
    check_for_tensorrt(file)
    log = _make_log(trt)
    builder = trt.Builder(log)
    # TensorRT 11 knows no other networks and ignores the flag.
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(file.SerializeToString()):
        errors = (parser.get_error(index) for index in range(parser.num_errors))
        raise TensorRTError(_failure("parse", source, [error.desc() for error in errors]))
    precision.check_network(trt, network, file)

    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # for the check of the engine
    if not tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    profile = builder.create_optimization_profile()
    profile.set_shape(file.graph.input[0].name, *shapes)
    config.add_optimization_profile(profile)
    _read_timing_cache(config, timing_cache)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise TensorRTError(_failure("build", source, log.errors))
    plan = bytes(plan)
    precision.check_engine(trt, trt.Runtime(log).deserialize_cuda_engine(plan), file)
    with files.replacing(path) as partial:
        partial.write_bytes(plan)
    if timing_cache is not None:
        with files.replacing(timing_cache) as partial:
            partial.write_bytes(bytes(config.get_timing_cache().serialize()))


def trtexec_command(
    source, path, batches=BATCHES, workspace=WORKSPACE, timing_cache=None, tf32=False
):
    """The command line that builds the same engine with TensorRT's own tool.

    Args: as those of `build`, whose checks the tool does not make.

    Returns:
        A line for a shell. TensorRT 10 needs `--stronglyTyped`; 11 accepts and ignores it.
    """
    import onnx

    shapes = _shapes(source, batches)
    name = onnx.load(source, load_external_data=False).graph.input[0].name
    command = ["trtexec", f"--onnx={source}", f"--saveEngine={path}", "--stronglyTyped"]
    for kind, shape in zip(("min", "opt", "max"), shapes, strict=True):
        command.append(f"--{kind}Shapes={name}:{'x'.join(map(str, shape))}")
    command.append(f"--memPoolSize=workspace:{workspace / 2**20:g}M")
    if not tf32:
        command.append("--noTF32")
    if timing_cache is not None:
        command.append(f"--timingCacheFile={timing_cache}")
    return shlex.join(command)


def _shapes(source, batches):
    """Smallest, best and largest shape of the input."""
    import onnx

    batches = tuple(batches)
    if len(batches) != 3 or not 1 <= batches[0] <= batches[1] <= batches[2]:
        raise ValueError(
            "`batches` are the smallest, the most frequent and the largest batch, such as "
            f"{BATCHES}. Received: {batches}."
        )
    (tensor,) = onnx.load(source, load_external_data=False).graph.input
    batch, *dims = tensor.type.tensor_type.shape.dim
    if batch.HasField("dim_value"):
        raise ValueError(
            f"{source} is for batches of {batch.dim_value} only. Export it with an open batch."
        )
    return [(size, *(dim.dim_value for dim in dims)) for size in batches]


def _make_log(trt):
    """A logger that keeps TensorRT's errors, as its functions say no more than that they failed."""

    class Log(trt.ILogger):
        def __init__(self):
            trt.ILogger.__init__(self)
            self.errors = []

        def log(self, severity, message):
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return Log()


def _failure(step, source, errors):
    return f"TensorRT could not {step} {source}:\n" + "\n".join(f"- {error}" for error in errors)


def _read_timing_cache(config, path):
    if path is None:
        return
    path = pathlib.Path(path)
    cache = config.create_timing_cache(path.read_bytes() if path.exists() else b"")
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        raise ValueError(
            f"The timing cache {path} is of another GPU or version of TensorRT. Remove it, or "
            "name another file."
        )
