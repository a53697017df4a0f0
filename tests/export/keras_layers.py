"""A sample of every layer of Keras, as a part of a small classifier of images."""

import inspect

import keras
import numpy as np
from keras import layers as L

SHAPE = (8, 8, 3)


def names(text):
    """Names with commas between them, a set."""
    return {" ".join(name.split()) for name in text.split(",")}


def images(*parts):
    """A sample, a function of images `(8, 8, 3)`, that begins with the images themselves."""

    def sample(x):
        for part in parts:
            x = part(x)
        return x

    return sample


def maps(*parts):
    """A sample that begins with maps `(8, 8, 4)`."""
    return images(lambda x: L.Conv2D(4, 3, padding="same", activation="tanh")(x), *parts)


def sequence(*parts):
    """One that begins with a sequence `(16, 4)`."""
    return maps(L.MaxPooling2D(2), L.Reshape((16, 4)), *parts)


def volume(*parts):
    """One that begins with a volume `(4, 4, 4, 4)`."""
    return maps(L.Reshape((4, 4, 4, 4)), *parts)


def vector(*parts):
    """One that begins with a vector `(4,)`."""
    return maps(L.GlobalAveragePooling2D(), *parts)


def levels(*parts):
    """One that begins with whole numbers from 0 to 3, int32 `(4,)`."""
    scale = lambda x: L.ReLU(max_value=3.0)(L.Rescaling(8.0, 1.5)(x))
    return vector(scale, lambda x: keras.ops.cast(x, "int32"), *parts)


def pair(layer, begin=maps):
    """A sample of a layer of two tensors."""
    return begin(lambda x: layer([x, L.Dense(4, activation="tanh")(x)]))


def features(name, inputs):
    """What the sample of a name makes of images, `(n, features)` in float32."""
    x = SAMPLES[name](inputs)
    if not keras.backend.is_float_dtype(x.dtype):
        x = keras.ops.cast(x, "float32")
    return L.Flatten()(x)


def frames(layer):
    """A sample of a layer of two images."""
    return images(L.Reshape((2, 4, 8, 3)), layer)


# Of no images alone: base classes, of labels, text and boxes, or of other frameworks' code.
NO_SAMPLE = names(
    """
    CutMix, FlaxLayer, InputLayer, InputSpec, JaxLayer, Layer, MaxNumBoundingBoxes, MixUp,
    StringLookup, TFSMLayer, TextVectorization, TorchModuleWrapper, Wrapper
    """
)
# fmt: off
SAMPLES = {
    "Activation": maps(L.Activation("swish")),
    "ActivityRegularization": maps(L.ActivityRegularization(0.1)),
    "AdaptiveAveragePooling1D": sequence(L.AdaptiveAveragePooling1D(5)),
    "AdaptiveAveragePooling2D": maps(L.AdaptiveAveragePooling2D(3)),
    "AdaptiveAveragePooling3D": volume(L.AdaptiveAveragePooling3D(3)),
    "AdaptiveMaxPooling1D": sequence(L.AdaptiveMaxPooling1D(5)),
    "AdaptiveMaxPooling2D": maps(L.AdaptiveMaxPooling2D(3)),
    "AdaptiveMaxPooling3D": volume(L.AdaptiveMaxPooling3D(3)),
    "Add": pair(L.Add()),
    "AdditiveAttention": pair(L.AdditiveAttention(), sequence),
    "AlphaDropout": maps(L.AlphaDropout(0.5)),
    "Attention": pair(L.Attention(), sequence),
    "AugMix": images(L.AugMix([-2, 2])),
    "AutoContrast": images(L.AutoContrast((-2, 2))),
    "Average": pair(L.Average()),
    "AveragePooling1D": sequence(L.AveragePooling1D(2)),
    "AveragePooling2D": maps(L.AveragePooling2D(3, 2, "same")),
    "AveragePooling3D": volume(L.AveragePooling3D(2)),
    "BatchNormalization": maps(L.ReLU(), L.BatchNormalization()),
    "Bidirectional": sequence(L.Bidirectional(L.LSTM(3))),
    "CategoryEncoding": levels(L.CategoryEncoding(4, "multi_hot")),
    "CenterCrop": images(L.CenterCrop(6, 6)),
    "Concatenate": pair(L.Concatenate()),
    "ContrastLimitedAdaptiveHistogramEqualization":
        images(L.ContrastLimitedAdaptiveHistogramEqualization((-2, 2), tile_grid_size=(2, 2))),
    "Conv1D": sequence(L.Conv1D(3, 3, activation="relu")),
    "Conv1DTranspose": sequence(L.Conv1DTranspose(3, 3, 2)),
    "Conv2D": maps(L.Conv2D(4, 3, dilation_rate=2, groups=2)),
    "Conv2DTranspose": maps(L.Conv2DTranspose(3, 3, 2, "same")),
    "Conv3D": volume(L.Conv3D(3, 2)),
    "Conv3DTranspose": volume(L.Conv3DTranspose(3, 2)),
    "ConvLSTM1D": volume(L.Reshape((4, 16, 4)), L.ConvLSTM1D(3, 3)),
    "ConvLSTM2D": volume(L.ConvLSTM2D(3, 3)),
    "ConvLSTM3D": volume(L.Reshape((2, 4, 4, 2, 4)), L.ConvLSTM3D(3, 1)),
    "Cropping1D": sequence(L.Cropping1D(2)),
    "Cropping2D": maps(L.Cropping2D(((1, 2), (0, 3)))),
    "Cropping3D": volume(L.Cropping3D(1)),
    "Dense": vector(L.Dense(5, activation="elu")),
    "DepthwiseConv1D": sequence(L.DepthwiseConv1D(3, depth_multiplier=2)),
    "DepthwiseConv2D": maps(L.DepthwiseConv2D(3, 2, "same", activation="relu6")),
    "Discretization": vector(L.Discretization([-0.2, 0.0, 0.2])),
    "Dot": pair(L.Dot(1), vector),
    "Dropout": maps(L.Dropout(0.5)),
    "ELU": maps(L.ELU(0.5)),
    "EinsumDense": sequence(L.EinsumDense("abc,bcd->abd", (16, 5), bias_axes="d")),
    "Embedding": levels(L.Embedding(4, 3)),
    "Equalization": images(L.Equalization((-2, 2))),
    "Flatten": maps(L.Flatten()),
    "GRU": sequence(L.GRU(3)),
    "GRUCell": sequence(L.RNN(L.GRUCell(3))),
    "GaussianDropout": maps(L.GaussianDropout(0.5)),
    "GaussianNoise": images(L.GaussianNoise(0.5)),
    "GlobalAveragePooling1D": sequence(L.GlobalAveragePooling1D()),
    "GlobalAveragePooling2D": maps(L.GlobalAveragePooling2D(keepdims=True)),
    "GlobalAveragePooling3D": volume(L.GlobalAveragePooling3D()),
    "GlobalMaxPooling1D": sequence(L.GlobalMaxPooling1D()),
    "GlobalMaxPooling2D": maps(L.GlobalMaxPooling2D()),
    "GlobalMaxPooling3D": volume(L.GlobalMaxPooling3D()),
    "GroupNormalization": maps(L.GroupNormalization(2)),
    "GroupQueryAttention": sequence(lambda x: L.GroupQueryAttention(4, 4, 2)(x, x)),
    "HashedCrossing": levels(lambda x: L.HashedCrossing(5)((x[:, :1], x[:, 1:2]))),
    "Hashing": levels(L.Hashing(5)),
    "Identity": maps(L.Identity()),
    "IntegerLookup": levels(L.IntegerLookup(vocabulary=[0, 1, 2, 3])),
    "LSTM": sequence(L.LSTM(3, return_sequences=True)),
    "LSTMCell": sequence(L.RNN(L.LSTMCell(3))),
    "Lambda": maps(L.Lambda(lambda x: 2 * x)),
    "LayerNormalization": maps(L.LayerNormalization()),
    "LeakyReLU": maps(L.LeakyReLU(0.2)),
    "Masking": sequence(L.Masking(0.5), L.LSTM(3)),
    "MaxPooling1D": sequence(L.MaxPooling1D(2)),
    "MaxPooling2D": maps(L.MaxPooling2D(3, 2, "same")),
    "MaxPooling3D": volume(L.MaxPooling3D(2)),
    "Maximum": pair(L.Maximum()),
    "MelSpectrogram": images(lambda x: x[..., 0], L.Flatten(), L.MelSpectrogram(
        num_mel_bins=8, sampling_rate=64, sequence_stride=8, fft_length=16, max_freq=32)),
    "Minimum": pair(L.Minimum()),
    "MultiHeadAttention": sequence(lambda x: L.MultiHeadAttention(2, 3)(x, x)),
    "Multiply": pair(L.Multiply()),
    "Normalization": images(L.Normalization(mean=(1.0, 2.0, 0.5), variance=(2.0, 3.0, 0.2))),
    "Normalization of rows": images(L.Normalization(
        axis=(1, 3), mean=np.linspace(-1, 1, 24).reshape(8, 3), variance=np.full((8, 3), 2.0))),
    "Normalization of all": images(L.Normalization(axis=None, mean=0.5, variance=2.0)),
    "PReLU": maps(L.PReLU("uniform", shared_axes=(1, 2))),
    "PReLU of places": maps(L.PReLU("uniform")),
    "Permute": maps(L.Permute((3, 1, 2))),
    "Pipeline": images(L.Pipeline([L.RandomFlip(), L.CenterCrop(6, 6), L.Rescaling(2.0)])),
    "RMSNormalization": maps(L.RMSNormalization()),
    "RNN": sequence(L.RNN([L.LSTMCell(3), L.GRUCell(2)])),
    "RandAugment": images(L.RandAugment((-2, 2))),
    "ReLU": maps(L.ReLU(0.5, 0.1, 0.2)),
    "RepeatVector": vector(L.RepeatVector(3)),
    "Rescaling": images(L.Rescaling((0.5, 1.0, 2.0), (1.0, 0.0, -1.0))),
    "Reshape": maps(L.Reshape((2, 32, 4))),
    "Resizing": images(L.Resizing(12, 12)),
    "Resizing to the nearest": images(L.Resizing(16, 16, "nearest")),
    "Resizing by bicubic": images(L.Resizing(12, 12, "bicubic")),
    "Resizing by Lanczos": images(L.Resizing(12, 12, "lanczos3")),
    "ReversibleEmbedding": levels(L.ReversibleEmbedding(4, 3)),
    "STFTSpectrogram": images(lambda x: x[..., 0], L.Flatten(), lambda x: x[..., None],
        L.STFTSpectrogram(frame_length=16, frame_step=8, fft_length=16)),
    "SeparableConv1D": sequence(L.SeparableConv1D(3, 3)),
    "SeparableConv2D": maps(L.SeparableConv2D(3, 3, activation="relu")),
    "SimpleRNN": sequence(L.SimpleRNN(3)),
    "SimpleRNNCell": sequence(L.RNN(L.SimpleRNNCell(3))),
    "Softmax": maps(L.Softmax()),
    "Solarization": images(L.Solarization(threshold_factor=0.5, value_range=(-2, 2))),
    "SpatialDropout1D": sequence(L.SpatialDropout1D(0.5)),
    "SpatialDropout2D": maps(L.SpatialDropout2D(0.5)),
    "SpatialDropout3D": volume(L.SpatialDropout3D(0.5)),
    "SpectralNormalization": maps(L.SpectralNormalization(L.Conv2D(3, 2))),
    "StackedRNNCells": sequence(L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.LSTMCell(2)]))),
    "Subtract": pair(L.Subtract()),
    "TimeDistributed": frames(L.TimeDistributed(L.Conv2D(3, 2))),
    "UnitNormalization": maps(L.UnitNormalization()),
    "UpSampling1D": sequence(L.UpSampling1D(2)),
    "UpSampling2D": maps(L.UpSampling2D(2, interpolation="bilinear")),
    "UpSampling3D": volume(L.UpSampling3D(2)),
    "ZeroPadding1D": sequence(L.ZeroPadding1D(2)),
    "ZeroPadding2D": maps(L.ZeroPadding2D(((1, 2), (0, 3)))),
    "ZeroPadding3D": volume(L.ZeroPadding3D(1)),
}
# fmt: on
RANDOM = {
    "RandomBrightness": {"factor": 0.2, "value_range": (-2, 2)},
    "RandomColorDegeneration": {"factor": 0.2},
    "RandomColorJitter": {"value_range": (-2, 2), "brightness_factor": 0.2},
    "RandomContrast": {"factor": 0.2, "value_range": (-2, 2)},
    "RandomCrop": {"height": 8, "width": 8},
    "RandomElasticTransform": {"value_range": (-2, 2)},
    "RandomErasing": {"value_range": (-2, 2)},
    "RandomFlip": {},
    "RandomGaussianBlur": {"value_range": (-2, 2)},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.2, "value_range": (0, 1)},
    "RandomInvert": {"value_range": (-2, 2)},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 4, "value_range": (0, 255)},
    "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": 0.2, "value_range": (0, 1)},
    "RandomSharpness": {"factor": 0.2, "value_range": (-2, 2)},
    "RandomShear": {"x_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
}
SAMPLES |= {name: images(getattr(L, name)(**options)) for name, options in RANDOM.items()}
ACTIVATIONS = {
    name
    for name, function in vars(keras.activations).items()
    if inspect.isfunction(function) and name not in ("deserialize", "get", "serialize")
}
SAMPLES |= {  # not those that need arguments, or halve the channels
    f"activation {name}": maps(L.Activation(name)) for name in ACTIVATIONS - {"glu", "threshold"}
}
# What is refused by name: in every format, and in single ones. All else has to be right.
UNDEPLOYABLE = {"IntegerLookup", "Lambda", "RandomShear"}  # Keras cannot read its configuration
ONNX = names(
    """
    Discretization, HashedCrossing, Hashing, MelSpectrogram, Resizing by Lanczos, Resizing by
    bicubic
    """
)
TFLITE = names(
    """
    AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D, AutoContrast,
    AveragePooling3D, Bidirectional, CategoryEncoding,
    ContrastLimitedAdaptiveHistogramEqualization, Conv3D, Conv3DTranspose, ConvLSTM1D,
    ConvLSTM2D, ConvLSTM3D, Discretization, ELU, Embedding, GRU, GRUCell, GroupQueryAttention,
    HashedCrossing, Hashing, LSTM, LSTMCell, Masking, MaxPooling3D, MelSpectrogram, RNN, ReLU,
    RepeatVector, ReversibleEmbedding, STFTSpectrogram, SimpleRNN, SimpleRNNCell,
    StackedRNNCells, TimeDistributed, UpSampling1D, UpSampling3D, Resizing by Lanczos, Resizing
    by bicubic, Resizing to the nearest, activation hard_shrink, activation log_softmax,
    activation selu, activation soft_shrink, activation sparse_plus, activation sparse_sigmoid,
    activation sparsemax
    """
)
INT8 = TFLITE | names(
    """
    AdditiveAttention, Attention, AveragePooling1D, AveragePooling2D, BatchNormalization,
    EinsumDense, GroupNormalization, LayerNormalization, Maximum, Minimum, MultiHeadAttention,
    PReLU, PReLU of places, RMSNormalization, Softmax, UnitNormalization, activation celu,
    activation exponential, activation gelu, activation hard_silu, activation hard_swish,
    activation hard_tanh, activation log_sigmoid, activation mish, activation relu, activation
    relu6, activation softmax, activation softplus, activation softsign, activation squareplus
    """
)
REFUSED = {"saved_model": set(), "onnx_fp32": ONNX, "tflite_fp32": TFLITE, "tflite_int8": INT8}
