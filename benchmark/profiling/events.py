"""Runs a `.tflite` file under LiteRT's own profiler. A program of its own, see `main`.

The profiler sees the operators within XNNPACK. It has no Python binding: this calls the C API that
LiteRT's library exports (litert/c/*.h in google-ai-edge/LiteRT, 2.2 and later). A mistake there
ends the process, so it is not that of the user.
"""

import ctypes
import importlib.util
import json
import os
import pathlib
import signal
import sys
import time

BURST = 10  # calls in a row, with and without the profiler
WARMUP = 10
SECONDS = 30  # that loading a network, or a call, may take before the system ends this process
alarm = getattr(signal, "alarm", lambda seconds: None)  # Windows has none
CPU, OPERATOR, INNER_OPERATOR = 1, 2, 8  # of the enumerations of the C API

Pointer, Size = ctypes.c_void_p, ctypes.c_size_t


class Layout(ctypes.Structure):
    """LiteRtLayout."""

    _fields_ = (
        ("rank", ctypes.c_uint32),
        ("dimensions", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class TensorType(ctypes.Structure):
    """LiteRtRankedTensorType."""

    _fields_ = (("element", ctypes.c_int), ("layout", Layout))


class Event(ctypes.Structure):
    """ProfiledEventData."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("start", ctypes.c_uint64),
        ("microseconds", ctypes.c_uint64),
        ("memory", Size * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_int),
    )


class Network:
    """A network that LiteRT runs on the CPU.

    Args:
        path: A `.tflite` file.
        threads: The number of threads of LiteRT.
        profiled: Whether its operators are timed.
    """

    def __init__(self, path, threads, profiled):
        package = pathlib.Path(importlib.util.find_spec("ai_edge_litert").origin).parent
        (library,) = package.glob("*LiteRt.*")
        self._library = ctypes.CDLL(str(library))
        self._kept = []  # what LiteRT holds pointers to
        environment = self._new("CreateEnvironment", 0, None)
        self._model = self._new("CreateModelFromFile", environment, str(path).encode())
        options = self._new("CreateOptions")
        self._call("SetOptionsHardwareAccelerators", options, CPU)
        self._set(options, "xnnpack", f"num_threads = {threads}\n")
        if profiled:
            self._set(options, "runtime_options_string", "enable_profiling = true\n")
        self._compiled = self._new("CreateCompiledModel", environment, self._model, options)
        self._signature = self._new("GetModelSignature", self._model, Size(0))
        self._buffers = [self._buffer(environment, kind) for kind in ("Input", "Output")]
        self._profiler = self._new("CompiledModelGetProfiler", self._compiled) if profiled else None

    def run(self):
        """Runs it once, on an input of zeros; returns the milliseconds that it took."""
        alarm(SECONDS)
        start = time.perf_counter_ns()
        one, (inputs, outputs) = Size(1), self._buffers
        pointers = ctypes.byref(inputs), one, ctypes.byref(outputs)
        self._call("RunCompiledModel", self._compiled, Size(0), one, *pointers)
        return (time.perf_counter_ns() - start) / 1e6

    def run_profiled(self):
        """Runs it once; returns the milliseconds, and name and microseconds of each operator."""
        self._call("StartProfiler", self._profiler)  # forgets earlier events
        elapsed = self.run()
        self._call("StopProfiler", self._profiler)
        count = ctypes.c_int()
        self._call("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (Event * count.value)()
        self._call("GetProfilerEvents", self._profiler, count, events)
        operators = [
            (event.tag.decode(), event.microseconds)
            for event in events
            if event.type in (OPERATOR, INNER_OPERATOR)
        ]
        return elapsed, operators

    def _buffer(self, environment, kind):
        """The buffer of the only input or output."""
        tensor = self._new(f"GetSignature{kind}TensorByIndex", self._signature, Size(0))
        shape = TensorType()
        self._call("GetRankedTensorType", tensor, ctypes.byref(shape))
        need = self._new(
            f"GetCompiledModel{kind}BufferRequirements", self._compiled, Size(0), Size(0)
        )
        buffer = self._new(
            "CreateManagedTensorBufferFromRequirements", environment, ctypes.byref(shape), need
        )
        self._call("ClearTensorBuffer", buffer)
        return buffer

    def _set(self, options, name, text):
        """Options come as TOML, of which LiteRT keeps the address."""
        payload = ctypes.create_string_buffer(text.encode())
        release = ctypes.CFUNCTYPE(None, Pointer)(lambda pointer: None)
        self._kept += [payload, release]
        address = ctypes.cast(payload, Pointer)
        opaque = self._new("CreateOpaqueOptions", name.encode(), address, release)
        self._call("AddOpaqueOptions", options, opaque)

    def _new(self, name, *arguments):
        """Calls a function whose last argument is where it puts its result."""
        result = Pointer()
        self._call(name, *arguments, ctypes.byref(result))
        return result

    def _call(self, name, *arguments):
        status = getattr(self._library, f"LiteRt{name}")(*arguments)
        if status:
            raise RuntimeError(f"LiteRt{name} failed with status {status}")


def main(path, threads, calls, out, parent):
    """Times the whole network, and its operators, in turn; writes what it measured as JSON.

    Args:
        path: A `.tflite` file.
        threads: The number of threads of LiteRT.
        calls: The number of calls to time of each, rounded up to whole bursts.
        out: The file to write: `plain` and `profiled`, the milliseconds of the calls; `names` of
            the operators in the order in which they ran; `microseconds`, of them, a list for
            every profiled call.
        parent: The number of the process that waits for it.
    """
    alarm(SECONDS)
    plain, profiled = (Network(path, threads, profiled) for profiled in (False, True))
    for network in (plain, profiled):
        for _ in range(WARMUP):
            network.run()
    result = {"plain": [], "profiled": [], "microseconds": []}
    for _ in range(-(-calls // BURST)):
        if os.getppid() != parent:  # which was killed: nobody waits for the result
            sys.exit("The process that started this one has ended.")
        result["plain"] += [plain.run() for _ in range(BURST)]
        for _ in range(BURST):
            elapsed, operators = profiled.run_profiled()
            result["profiled"].append(elapsed)
            result["names"] = [name for name, _ in operators]
            result["microseconds"].append([microseconds for _, microseconds in operators])
    pathlib.Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
