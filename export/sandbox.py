"""Runs artifacts of unknown origin in processes of their own, with limits of time and memory.

A file that crashes its runtime, or never ends in it, ends only that process. What comes back is
JSON and numbers; nothing of an artifact is parsed or run here.
"""

import contextlib
import importlib
import json
import math
import os
import pathlib
import subprocess
import sys

import numpy as np

from keras_ghostnet import files
from keras_ghostnet.export import contents, processes
from keras_ghostnet.export.device import run

BATCH = 4  # images at a time: the time that they take is limited
PER_BYTE, PER_INPUT = 8, 64  # bytes of memory for each of the artifact's, and of a batch's
GRACE = 5  # seconds in which a process ends that answers no more
MOST_TEXT, MOST_VALUES = 1 << 24, 1 << 26  # of an answer: bytes, and numbers for an image
# What loads an artifact of a format's module. None of it brings Keras.
RUNTIMES = {
    "mnn": "keras_ghostnet.export.device.mnn_model:Model",
    "ncnn": "keras_ghostnet.export.device.ncnn_model:Model",
    "onnx": "keras_ghostnet.export.onnx.runtime:load",
    "openvino": "keras_ghostnet.export.openvino.runtime:load",
    "saved_model": "keras_ghostnet.export.saved_model.session:ServingSession",
    "tflite": "keras_ghostnet.export.device.run:Model",
    "tflite_qat": "keras_ghostnet.export.device.run:Model",
    # With the outputs of all layers.
    "onnx_layers": "keras_ghostnet.export.layer_outputs:ONNXLayers",
    "tflite_layers": "keras_ghostnet.export.layer_outputs:TFLiteLayers",
    "tflite_qat_layers": "keras_ghostnet.export.layer_outputs:TFLiteLayers",
    "web": "keras_ghostnet.export.web.runtime:load_model",
}
# Of these, what was exported here runs so, too: they crash, and print what nobody asked for.
ISOLATED = {"mnn", "ncnn"}
# Memory is not to depend on the number of cores, nor a GPU to be taken.
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": str(min(4, os.cpu_count() or 1)),
}


class SandboxError(ValueError):
    """A runtime refuses an artifact, crashes, or takes more time or memory than it may."""


class Process:
    """A process that runs artifacts of one format's module, one after the other.

    TensorFlow takes seconds to start: a process is ready while its user does something else.

    Args:
        module: Of a `Format`, a key of `RUNTIMES`.
    """

    def __init__(self, module):
        self._process = subprocess.Popen(
            processes.python("keras_ghostnet.export.sandbox:serve", module=module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT},
        )

    def is_alive(self):
        """Whether it can be asked."""
        return self._process.poll() is None

    def close(self):
        """Ends it."""
        self._process.kill()
        self._process.communicate()

    def cause(self):
        """Why it ended, in words, such as `"crashed (SIGSEGV)"`."""
        return run.cause(self._process.wait())

    def ask(self, content=b"", **request):
        """What it answers to a request that is followed by `content`, a dictionary.

        Raises:
            SandboxError: If it answers with an error, or ends.
        """
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n" + content)
            self._process.stdin.flush()
            line = self._process.stdout.readline(MOST_TEXT)
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            with contextlib.suppress(subprocess.TimeoutExpired):  # of an answer that is too long
                self._process.wait(GRACE)
            self._process.kill()
            raise SandboxError(
                f"its runtime {self.cause()}: it is damaged, made to do that, "
                "or too large to be run here."
            )
        answer = json.loads(line)
        if "error" in answer:
            raise SandboxError(answer["error"])
        return answer

    def read(self, size):
        """So many bytes that follow an answer."""
        return self._process.stdout.read(size)


_early: dict[str, Process] = {}


def start_early(module):
    """Starts a process that the next `take` of a module gets: the command's backend starts, too."""
    _early[module] = Process(module)


def take(module):
    """A process of a module, which may have been started before."""
    return _early.pop(module, None) or Process(module)


def keep(module, process):
    """Leaves a process, which forgets its artifact, for the next `take` of its module."""
    if module in _early:
        process.close()
    else:
        process.ask(forget=True)
        _early[module] = process


class Sandbox:
    """A runner for an artifact, as `keras_ghostnet.export.formats` describes it.

    Args:
        path: The artifact.
        module: Of its `Format`, a key of `RUNTIMES`.
        size: `(height, width)` of the images that it is to run, in pixels; they take memory.
        process: A `Process` of the module, which stays; None starts one.
        name: What messages call it; None takes the file's name.

    Attributes:
        contents: `keras_ghostnet.export.contents.describe` of the artifact, and `layers` of a
            runner that has them.

    Raises:
        SandboxError: If it cannot be loaded.
    """

    def __init__(self, path, module, size=(0, 0), process=None, name=None):
        self._process, self._is_own = process or Process(module), process is None
        self._name = name or path.name
        memory = run.MEMORY + PER_BYTE * files.size(path)
        memory += PER_INPUT * BATCH * 4 * 3 * size[0] * size[1]
        try:
            limits = dict(memory=memory, seconds=run.SECONDS)
            self.contents = self._ask(path=os.path.abspath(path), **limits)
        except BaseException:
            self.close()
            raise

    def close(self):
        """Ends the process, if it is not another's."""
        if self._is_own:
            self._process.close()

    def __call__(self, images):
        images = np.ascontiguousarray(images, "float32")
        starts = range(0, len(images), BATCH)
        return np.concatenate([self._run(images[start : start + BATCH]) for start in starts])

    def _run(self, images):
        shape = self._ask(images.tobytes(), shape=images.shape)["shape"]
        values = math.prod(shape)
        fits = len(shape) in (2, 4) and shape[0] == len(images)
        if not fits or not 0 < values <= MOST_VALUES * len(images):
            raise SandboxError(
                f"{self._name} outputs {tuple(shape)} for {len(images)} images, expected "
                f"({len(images)}, classes) or ({len(images)}, height, width, classes)."
            )
        return np.frombuffer(self._process.read(4 * values), "float32").reshape(shape)

    def _ask(self, content=b"", **request):
        try:
            return self._process.ask(content, **request)
        except SandboxError as error:
            raise SandboxError(f"{self._name} is not run: {error}") from None


def open_runner(path, fmt, size, process=None):
    """A runner for an artifact that may be anybody's, which has `contents`, and is to be closed.

    It is a `Sandbox`. A TensorRT engine is code of the GPU, and runs in this process.

    Args:
        path, size, process: As `Sandbox`.
        fmt: The artifact's `Format`.

    Raises:
        SandboxError: If it cannot be loaded.
    """
    if fmt.module != "tensorrt":
        return Sandbox(path, fmt.module, size, process)
    runner = importlib.import_module(f"keras_ghostnet.export.{fmt.module}").load(path)
    runner.contents, runner.close = {}, lambda: None
    return runner


def serve(module):
    """Loads artifacts and runs them, as it is asked to on standard input: the process's work.

    Args:
        module: As `Process`.
    """
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    if module == "saved_model":
        sys.modules["keras"] = None  # TensorFlow imports it if it can, which takes as long again
    name, _, function = RUNTIMES[module].partition(":")
    load, runner = getattr(importlib.import_module(name), function), None
    for line in sys.stdin.buffer:
        request, content = json.loads(line), b""
        try:
            if "path" in request:
                run.guard(request["memory"])
                run.SECONDS = request["seconds"]
            with run.deadline():
                if "path" in request:
                    path, runner = pathlib.Path(request["path"]), None
                    if module == "saved_model":
                        importlib.import_module(contents.SAVED_MODEL).require_harmless(path)
                    answer, runner = contents.describe(path), load(path)
                    answer["layers"] = getattr(runner, "layers", None)
                elif "forget" in request:
                    answer, runner = {}, None  # what it has mapped into memory keeps a disk busy
                else:
                    shape = request["shape"]
                    images = sys.stdin.buffer.read(4 * int(np.prod(shape)))
                    outputs = runner(np.frombuffer(images, "float32").reshape(shape))
                    answer, content = {"shape": outputs.shape}, outputs.astype("float32").tobytes()
            text = json.dumps(answer)
        except Exception as error:  # whatever a runtime raises
            reason = " ".join(str(error).split())[:500]
            text, content = json.dumps({"error": reason or type(error).__name__}), b""
        replies.write(text.encode() + b"\n" + content)
        replies.flush()
