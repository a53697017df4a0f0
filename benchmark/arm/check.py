"""Compares artifacts on an emulated Cortex-A76 with the same on this machine: LiteRT, ncnn, MNN.

`python -m keras_ghostnet.benchmark.arm.check` exports a GhostNet and a G-GhostNet in float32,
half precision and int8 and checks them; `... check MODEL.tflite ...` checks files. Those of half
precision have to be computed so on ARM; here they are computed in float32.
"""

import argparse
import dataclasses
import pathlib
import re
import sys
import tempfile

import numpy as np
from rich import box
from rich.table import Table

from keras_ghostnet import extras
from keras_ghostnet.benchmark.arm import count, emulate, sysroot, tools
from keras_ghostnet.console import new_console
from keras_ghostnet.export import contents
from keras_ghostnet.export.device import run
from keras_ghostnet.export.formats import missing_packages
from keras_ghostnet.preprocessing import normalize

MODELS = ("ghostnet_100", "g_ghost_regnetx_002")
FORMATS = ("fp32", "fp16", "int8")
CHOICES = [("litert", precision) for precision in FORMATS]
MOBILE = ("ncnn", "mnn")  # runtimes that are checked if they are installed
# Of float outputs, in their standard deviations, by what ARM computes in.
MAX_ERRORS = {"float32": 1e-5, "float16": 0.05}
# A network that amplifies what rounding one value of its images makes may differ by so many times
# that, but by no more than so many times what others may: faults make several times as much.
ROUNDINGS, MOST = 4, 4
# What half precision rounds at least, where no names of kernels show it; float32 rounds 1e-5.
MIN_HALF_ERROR = 2e-4
MAX_STEPS = 1  # of integer outputs
# XNNPACK's names of the kernels that multiply.
PRODUCTS = {
    kind: rf"xnn_{prefix}_.*?(gemm|dwconv)" for kind, prefix in (("half", "f16"), ("float", "f32"))
}


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far outputs of two machines are apart.

    Attributes:
        difference: The largest one: in standard deviations of the outputs, or in steps of
            integer outputs.
        limit: The largest that passes, in the same unit.
        unit: Its name.
    """

    difference: float
    limit: float
    unit: str

    @property
    def passed(self):
        """Whether the difference is within the limit. A NaN is not."""
        return bool(self.difference <= self.limit)


def compare_outputs(outputs, reference, step, max_error=MAX_ERRORS["float32"]):
    """The agreement of two machines' outputs.

    Args:
        outputs, reference: `(n, ...)` each.
        step: What one step of integer outputs stands for; 0 for float outputs.
        max_error: The largest difference of float outputs that passes, in standard deviations.
    """
    difference = np.abs(outputs.astype("float64") - reference).max()
    if step:
        return Agreement(float(np.rint(difference / step)), MAX_STEPS, "steps")
    return Agreement(float(difference / reference.std()), max_error, "deviations")


def check_on_arm(path, root=None, reference=None):
    """Runs a file here and emulated, on the same images.

    Args:
        path: A `.tflite` or `.mnn` file that takes one image, or such a `.ncnn` folder.
        root: The sysroot's folder; None for that of `sysroot.get_sysroot()`.
        reference: The file that is run here; None for the same.

    Returns:
        An `Agreement`.

    Raises:
        ImportError: If the host lacks the runtime, scikit-learn or pillow.
        ValueError: If the file is not a network of one image, or one of half precision is not
            computed so.
        tools.ToolError: If a program is missing or fails.
    """
    model = _in_float32(pathlib.Path(reference or path))
    images = _inputs(model)
    root, path = root or sysroot.get_sysroot(), pathlib.Path(path).resolve()
    packages, held = sysroot.get_packages(path, root), contents.describe(path)
    is_half = held.get("reduced_precision", held["precision"]) not in (None, contents.FLOAT32)
    is_named = is_half and not packages  # only LiteRT says the names of its kernels
    expected = model(images)
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs, counts = (
            pathlib.Path(folder) / name for name in ("in.npz", "out.npz", "n")
        )
        np.savez(inputs, images)
        plugin = f"{count.plugin()},out={counts}" if is_named else None
        arguments = (path, "--inputs", inputs, "--outputs", outputs, "--threads", 1)
        emulate.run_script(root, run.__file__, *arguments, packages=packages, plugin=plugin)
        if is_named:
            _require_half_kernels(path, count.read_functions(counts))
        with np.load(outputs) as arrays:
            limit = allowed_error(model, images, expected, "float16" if is_half else "float32")
            found = compare_outputs(arrays["outputs"], expected, model.step, limit)
    if is_half and found.difference < MIN_HALF_ERROR:
        raise ValueError(
            f"{path.name} was not computed in half precision on the emulated {emulate.CPU}: its "
            f"outputs differ by {found.difference:.2g} deviations from those in float32."
        )
    return found


def allowed_error(model, images, outputs, dtype):
    """How far float outputs of two machines may be apart, in standard deviations.

    As far as those of any network, or `ROUNDINGS` times as far as the outputs move on this machine
    when every value of the images is rounded up or down, as chance has it, by half a unit in the
    last place.

    Args:
        model: A `keras_ghostnet.export.device.run.ImageModel`.
        images: What it takes.
        outputs: What it outputs.
        dtype: What ARM computes in, a key of `MAX_ERRORS`.
    """
    least = MAX_ERRORS[dtype]
    if images.dtype.kind != "f":
        return least
    signs = np.random.default_rng(0).choice((-1, 1), images.shape)
    rounded = images * (1 + signs * np.finfo(dtype).eps / 2)
    moved = compare_outputs(model(rounded.astype(images.dtype)), outputs, step=0)
    return min(max(least, ROUNDINGS * moved.difference), MOST * least)


def _in_float32(path):
    """A file in its runtime here, which does not compute in half precision."""
    module = run.MODULES.get(path.suffix)
    return run.beside(module).Model(path, precision="float32") if module else run.Model(path)


def _require_half_kernels(path, functions):
    """Refuses a file of which XNNPACK computed convolutions in float32, or none at all."""
    found = {
        kind: sorted({name for _, name in functions if name and re.match(PRODUCTS[kind], name)})
        for kind in PRODUCTS
    }
    if not found["half"] or found["float"]:
        raise ValueError(
            f"{path.name} was not computed in half precision on the emulated {emulate.CPU}. "
            f"XNNPACK ran: {', '.join(found['float'] + found['half']) or 'none of its kernels'}."
        )


def export_networks(folder):
    """Exports `MODELS` with random weights in `FORMATS`, also for those of `MOBILE` that are here.

    Returns:
        The paths.
    """
    from keras_ghostnet.benchmark.comparison import cache, compared_networks, runtimes

    here = [name for name in MOBILE if not missing_packages(runtimes.format_of((name, "fp32")))]
    choices = [*CHOICES, *((name, one) for name in here for one in runtimes.RUNTIMES[name].formats)]
    exports = cache.Cache(folder, target="arm")
    networks = compared_networks.resolve_networks(MODELS, "gpu")
    return [export.path for one in networks for export in exports.exports(one, choices)]


def _inputs(model):
    """Photos as the network takes them: normalized, or as integers of the input's whole range."""
    photos = _photos(model.input_shape[:2])
    if model.dtype.kind == "f":
        return normalize(photos)
    return (photos.astype("int32") + np.iinfo(model.dtype).min).astype(model.dtype)


def _photos(size):
    """The photos that scikit-learn ships, whole and their middles: `(4, *size, 3)`, uint8."""
    extras.require("PIL", "sklearn", purpose="Reading the photos", extra="train")
    import PIL.Image
    from sklearn import datasets

    photos = [PIL.Image.fromarray(image) for image in datasets.load_sample_images().images]
    parts = ((0, 0, 1, 1), (0.25, 0.25, 0.75, 0.75))
    return np.stack(
        [
            photo.resize(size[::-1], box=np.multiply(part, 2 * photo.size).tolist())
            for photo in photos
            for part in parts
        ]
    )


def _table(results):
    table = Table(box=box.SIMPLE_HEAD, title="On aarch64 (Cortex-A76, emulated) and here")
    for column in ("file", "largest difference", "allowed", "unit", ""):
        table.add_column(column, overflow="fold")
    for name, result in results.items():
        verdict = "equal" if result.passed else "[red]DIFFERENT[/red]"
        numbers = f"{result.difference:.2g}", f"{result.limit:.2g}"
        table.add_row(name, *numbers, result.unit, verdict)
    return table


def main(argv=None):
    """The command. Returns its exit code: 0 if all files agree."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_ghostnet.benchmark.arm.check", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="an artifact")
    parser.add_argument(
        "--reference", metavar="FILE", help="what runs here instead: the same before a change"
    )
    args = parser.parse_args(argv)
    try:
        tools.require_programs("qemu-aarch64")
        root = sysroot.get_sysroot()
        with tempfile.TemporaryDirectory() as folder:
            paths = args.models or export_networks(pathlib.Path(folder))
            results = {
                pathlib.Path(path).name: check_on_arm(path, root, args.reference) for path in paths
            }
    except (ImportError, OSError, ValueError, tools.ToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    new_console().print(_table(results))
    return 0 if all(result.passed for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
