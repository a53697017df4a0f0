"""Runs ncnn networks. On a device it lies beside `run.py`, and needs NumPy and ncnn."""

import os

import numpy as np

if __package__:
    from keras_ghostnet.export.device import run
else:  # copied to a device
    import run  # type: ignore[import-not-found,no-redef]

PARAM, BIN = "model.param", "model.bin"
INPUT, OUTPUT = "images", "outputs"


class Model(run.ImageModel):
    """A folder with `model.param` and `model.bin` that takes one image, in ncnn on the CPU.

    ncnn computes in half precision where the processor can, unless the file forbids it, as those
    of float32 do.

    Args:
        path: The folder.
        threads: The number of threads of ncnn.
        precision: `"float32"` forbids half precision whatever the file says; None does not.

    Raises:
        FileNotFoundError: If a file is missing.
        ImportError: If ncnn is missing.
        ValueError: If ncnn cannot read the network, or it takes something else than an image.
    """

    runtime = "ncnn"

    def __init__(self, path, threads=1, precision=None):
        try:
            import ncnn
        except ImportError as error:
            raise ImportError("ncnn is missing. Install it with: pip install ncnn") from error
        files = [os.path.join(path, name) for name in (PARAM, BIN)]
        for name in files:
            if not os.path.isfile(name):
                raise FileNotFoundError(f"There is no file {name}.")
        self.path, self.version = path, f"ncnn {ncnn.__version__}"
        with run.deadline():
            self.net = ncnn.Net()
            self.net.opt.num_threads = threads
            if precision == "float32":
                for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
                    setattr(self.net.opt, option, False)
            self._mat, (param, weights) = ncnn.Mat, files
            if self.net.load_param(param) or self.net.load_model(weights):
                raise ValueError(
                    f"ncnn {ncnn.__version__} cannot read {path}: it is damaged, or of another "
                    "version of ncnn. Export it again."
                )
            names = self.net.input_names(), self.net.output_names()
            if names != ([INPUT], [OUTPUT]):
                raise ValueError(
                    f"{path} has the inputs and outputs {names}, expected one of each."
                )
            self.input_shape = height, width, channels = input_shape(param)
            self._hold(np.zeros((channels, height, width), "float32"))
            if run.guarded:
                self.invoke()

    def _run(self, image):
        self._hold(np.ascontiguousarray(image.transpose(2, 0, 1), "float32"))
        return self.invoke()

    def _hold(self, image):
        # A matrix of an array borrows its memory and has no count of references, which ncnn reads
        # where the first layer writes in its input's place. A copy has one.
        self._image = self._mat(image).clone()

    def invoke(self):
        with run.deadline(), self.net.create_extractor() as extractor:
            if extractor.input(INPUT, self._image):
                raise ValueError(f"ncnn cannot take an image for {self.path}.")
            code, outputs = extractor.extract(OUTPUT)
        if code:
            raise ValueError(f"ncnn cannot run {self.path}: it is damaged, or memory is short.")
        values = np.array(outputs, "float32")
        return values[None] if values.ndim == 3 else values.reshape(1, -1)


def input_shape(param):
    """What a `model.param` says of its images, `(height, width, 3)`.

    Raises:
        ValueError: If it says nothing.
    """
    with open(param, encoding="utf-8", errors="replace") as file:
        for line in file:
            kind, *fields = line.split()[:12] or [""]
            if kind == "Input":
                sizes = dict(field.partition("=")[::2] for field in fields if "=" in field)
                if all(sizes.get(key, "").isdecimal() for key in "012"):
                    width, height, channels = (int(sizes[key]) for key in "012")
                    return height, width, channels
    raise ValueError(f"{param} does not say how large its images are. Export it again.")
