"""Other ways to run a GhostNet 1.0: what `export` compares with, in the Python that has it.

`export_peers.py kecam FOLDER` and `export_peers.py timm FOLDER` write files of it in float32 and
int8, with the images of FOLDER/images.npy for its ranges, and print versions; `export_peers.py
batches FOLDER THREADS STEPS` runs batches in PyTorch, as `sides` describes. It imports nothing of
ours.
"""

import os
import pathlib
import sys
import time

import numpy as np

# Passes that settle batch norms of random weights: else activations fade out.
MOMENTUM, PASSES = 0.5, 8
FEW = 16  # images for that, and for the ranges of int8


def kecam(folder, images):
    """keras_cv_attention_models' network by TFLite's converter, for one image at a time."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import keras_cv_attention_models
    import tensorflow as tf

    network = keras_cv_attention_models.ghostnet.GhostNet_100(
        pretrained=None, classifier_activation=None
    )
    for layer in network.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
    for _ in range(PASSES):
        network(images, training=True)
    specification = tf.TensorSpec((1, *network.input_shape[1:]), "float32")
    function = tf.function(lambda image: network(image, training=False))
    function = function.get_concrete_function(specification)
    for name in ("fp32", "int8"):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        if name == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([image[None]] for image in images)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        (folder / f"kecam_{name}.tflite").write_bytes(converter.convert())
    return f"keras_cv_attention_models {keras_cv_attention_models.__version__}"


def timm(folder, images):
    """timm's network by PyTorch's exporter, quantized by ONNX Runtime as it advises for a CPU."""
    import torch
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    network = timm_network(images)
    inputs = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    path, prepared = folder / "timm_fp32.onnx", folder / "timm_prepared.onnx"
    # The exporter that needs no further package.
    torch.onnx.export(network, torch.from_numpy(inputs[:1]), path, input_names=["x"], dynamo=False)
    quant_pre_process(path, prepared)
    quantize_static(
        prepared,
        folder / "timm_int8.onnx",
        Reader(inputs),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    import timm

    return f"timm {timm.__version__}, PyTorch {torch.__version__}"


class Reader:
    """Calibration images as ONNX Runtime's quantizer asks for them."""

    def __init__(self, inputs):
        self.batches = ({"x": image[None]} for image in inputs)

    def get_next(self):
        return next(self.batches, None)


def timm_network(images):
    """timm's GhostNet 1.0 for inference, its batch norms settled on images."""
    import torch
    from peers import with_torchvision

    with_torchvision()
    import timm

    torch.manual_seed(0)
    network = timm.create_model("ghostnet_100").train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = MOMENTUM
    with torch.no_grad():
        for _ in range(PASSES):
            network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    return network.eval()


def batches(images, threads, steps):
    """Batches in PyTorch: channels last, nothing kept for gradients."""
    import torch
    from sides import serve

    torch.set_num_threads(threads)
    network = timm_network(images[:FEW]).to(memory_format=torch.channels_last)
    inputs = torch.from_numpy(images.transpose(0, 3, 1, 2))
    inputs = inputs.contiguous(memory_format=torch.channels_last)

    def turn():
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(steps):
                network(inputs).numpy()
        return len(images) * steps / (time.perf_counter() - start)

    turn()
    serve(f"PyTorch {torch.__version__}", turn)


if __name__ == "__main__":
    kind, folder, *numbers = sys.argv[1:]
    folder = pathlib.Path(folder)
    images = np.load(folder / "images.npy")
    if kind == "batches":
        batches(images, *map(int, numbers))
    else:
        print({"kecam": kecam, "timm": timm}[kind](folder, images[:FEW]))
