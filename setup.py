"""Package metadata. `training/` and `export/` install as parts of `keras_ghostnet`."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (HERE / "keras_ghostnet" / "version.py").read_text(), re.MULTILINE
).group(1)


def packages(folder, name):
    """The packages below a folder of the checkout, under the name they are installed by."""
    return [name] + [f"{name}.{package}" for package in find_packages(folder)]


TFLITE = ["ai-edge-litert>=2.0"]
MATPLOTLIB = "matplotlib>=3.8"
COMPARE = [MATPLOTLIB, *TFLITE]
TRAIN = [
    MATPLOTLIB,  # learning curves and confusion matrices
    "pillow>=10",
    "scikit-learn>=1.4",  # carries the handwritten digits of the quickstart
    "tensorboard>=2.18",  # TensorFlow's own logs are written through it
]
# TFMOT knows tf_keras alone, which has to be of TensorFlow's own minor version.
QUANTIZE = ["tensorflow-model-optimization>=0.8", "tf_keras>=2.18"]
ONNX = ["tf2onnx>=1.16.1", "onnx>=1.16", "onnxruntime>=1.19"]
SERVING = ["tensorflow-serving-api>=2.18"]
TOOLS = ["build>=1.2", "pytest>=8", "pytest-xdist>=3.5", "ruff>=0.9", "setuptools>=77"]
EXTRAS = {
    "train": TRAIN,
    "quantize": QUANTIZE,
    "tflite": TFLITE,
    "compare": COMPARE,
    "onnx": ONNX,
    "serving": SERVING,
    "test": [*TRAIN, *QUANTIZE, *TFLITE, *ONNX, *SERVING, *TOOLS],
}
EXTRAS["all"] = sorted({requirement for extra in EXTRAS.values() for requirement in extra})

setup(
    name="keras_ghostnet",
    version=VERSION,
    description="GhostNets on Keras 3, from training to the device",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        *packages("keras_ghostnet", "keras_ghostnet"),
        *packages("training", "keras_ghostnet.training"),
        *packages("export", "keras_ghostnet.export"),
    ],
    package_dir={
        "keras_ghostnet": "keras_ghostnet",
        "keras_ghostnet.training": "training",
        "keras_ghostnet.export": "export",
    },
    package_data={"keras_ghostnet": ["data/*"], "keras_ghostnet.export.arm": ["*.c"]},
    install_requires=[
        "absl-py>=1.4",  # not 2: tensorflow-model-optimization asks for 1.x
        "h5py>=3.11",
        "keras>=3.10",
        "ml_dtypes>=0.4",
        "numpy>=1.26",
        "rich>=13",
        "safetensors>=0.4.3",
        "tensorflow>=2.18",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["ghostnet = keras_ghostnet.cli:entry_point"]},
    classifiers=[
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    keywords="ghostnet keras tensorflow image-classification mobile tflite",
)
