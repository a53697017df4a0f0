"""What the `ghostnet` command does before its libraries are imported."""

import contextlib
import os
import platform
import sys

from keras_ghostnet.quiet import quiet

NAMES = ("ghostnet", "ghostnet.exe")
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # TensorFlow reads it when it is imported
X86 = ("x86_64", "amd64")


def starting():
    """A context to import TensorFlow in; within anybody else's program, it does nothing.

    What TensorFlow tells at its import is held back. And it is told to use oneDNN's kernels on
    any x86, unless the environment says otherwise: of its own accord it does so from AVX-512
    VNNI on, though they are faster on older processors, too.
    """
    if os.path.basename(sys.argv[0] if sys.argv else "") not in NAMES:
        return contextlib.nullcontext()
    if platform.machine().lower() in X86:
        os.environ.setdefault(ONEDNN, "1")
    return quiet()
