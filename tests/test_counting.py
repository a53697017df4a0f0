"""Parameters and multiply-adds against published figures and against pencil and paper."""

import keras
import numpy as np
import pytest

from keras_ghostnet import GhostNet, count_macs, count_parameters, layers


def model_of(*parts, shape=(8, 8, 3)):
    """A model of layers that follow one another."""
    inputs = x = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def small_network(size):
    """Every layer of this package once."""
    return model_of(
        layers.GhostBottleneck(12, 8, se_ratio=0.25),
        layers.RegNetBlock(8, 4),
        layers.GGhostStage(16, 3, 4),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3),
        shape=(size, size, 3),
    )


# -------------------------------------------------------------------- pencil and paper


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (keras.layers.Conv2D(5, 3, padding="same"), (8, 8, 4), 8 * 8 * 5 * 9 * 4),
        (keras.layers.Conv2D(5, 3, strides=2), (9, 9, 4), 4 * 4 * 5 * 9 * 4),
        (keras.layers.Conv2D(6, 3, groups=2), (8, 8, 4), 6 * 6 * 6 * 9 * 2),
        (keras.layers.Conv2D(5, 3, dilation_rate=2), (8, 8, 4), 4 * 4 * 5 * 9 * 4),
        (layers.GroupedConv2D(6, 3, groups=2), (8, 8, 4), 6 * 6 * 6 * 9 * 2),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 4), 6 * 6 * 8 * 9),
        (keras.layers.SeparableConv2D(5, 3), (8, 8, 4), 6 * 6 * (4 * 9 + 4 * 5)),
        (keras.layers.Conv2DTranspose(5, 3, strides=2), (8, 8, 4), 8 * 8 * 9 * 4 * 5),
        (keras.layers.Conv1D(5, 3), (8, 4), 6 * 5 * 3 * 4),
        (keras.layers.Conv3D(5, 2), (4, 4, 4, 3), 3**3 * 5 * 8 * 3),
        (keras.layers.Dense(7), (5,), 35),
        (keras.layers.Dense(7), (6, 5), 6 * 35),
        (keras.layers.EinsumDense("abc,cde->abde", (None, 2, 3)), (6, 5), 6 * 5 * 2 * 3),
        (keras.layers.TimeDistributed(keras.layers.Dense(7)), (6, 5), 6 * 35),
        (keras.layers.TimeDistributed(layers.SqueezeExcite(0.25)), (3, 8, 8, 32), 3 * 2 * 32 * 8),
        (keras.layers.LSTM(3), (6, 5), 6 * 4 * (5 * 3 + 3 * 3)),
        (keras.layers.BatchNormalization(), (8, 8, 4), 0),
        (keras.layers.ReLU(), (8, 8, 4), 0),
        (keras.layers.GlobalAveragePooling2D(), (8, 8, 4), 0),
        (keras.layers.Embedding(100, 5), (6,), 0),
        (
            # 5 intrinsic maps and a ghost of each, of which one is not used
            layers.GhostModule(9, kernel_size=3),
            (8, 8, 4),
            64 * (5 * 9 * 4 + 5 * 9),
        ),
        (layers.SqueezeExcite(0.25), (8, 8, 32), 32 * 8 + 8 * 32),
        (
            layers.RegNetBlock(8, 4, strides=2),
            (8, 8, 6),
            64 * 6 * 8 + 16 * (9 * 4 * 8 + 8 * 8 + 6 * 8),
        ),
        (
            layers.GhostBottleneck(12, 8, strides=2),
            (8, 8, 4),
            64 * (4 * 6 + 9 * 6) + 16 * (9 * 12 + 12 * 4 + 9 * 4 + 9 * 4 + 4 * 8),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else None,
)
def test_multiply_adds_of_one_layer(layer, shape, macs):
    model = model_of(layer, shape=shape)
    assert count_macs(model) == macs
    assert isinstance(count_macs(model), int)


def test_attention():
    query = keras.Input((6, 8))
    value = keras.Input((5, 4))
    attention = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3)(query, value)
    projections = 2 * 3 * (6 * 8 + 5 * 4 + 5 * 4 + 6 * 8)
    products = 2 * (6 * 5 * 3 + 6 * 5 * 3)
    assert count_macs(keras.Model([query, value], attention)) == projections + products


def test_arguments_by_name():
    x = keras.Input((6, 8))
    attention = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3, output_shape=5)
    model = keras.Model(x, attention(value=x, query=x, return_attention_scores=True))
    assert count_macs(model) == 6 * 2 * 3 * (8 + 8 + 8 + 5) + 2 * 2 * 6 * 6 * 3
    assert count_macs(keras.Model(x, keras.layers.Dense(4)(inputs=x))) == 6 * 8 * 4
    assert count_macs(keras.Model(x, Gated()(inputs=x, gate=x))) == 6 * 8 * 8


def test_batch_statistics_are_no_parameters_but_scale_and_offset_are():
    norm = keras.layers.BatchNormalization()
    model = model_of(keras.layers.Conv2D(4, 3), norm, keras.layers.Dense(2))
    assert count_parameters(model) == (9 * 3 * 4 + 4) + 2 * 4 + (4 * 2 + 2)
    assert model.count_params() == count_parameters(model) + 2 * 4


def test_frozen_models_count_as_others():
    model = small_network(16)
    parameters, macs = count_parameters(model), count_macs(model)
    model.trainable = False
    assert (count_parameters(model), count_macs(model)) == (parameters, macs)


# ------------------------------------------------------------------------------ published


def test_resnet50_as_published():
    model = keras.applications.ResNet50(weights=None)
    assert count_parameters(model) == 25_583_592
    # Keras' has its strides in the 1x1 convolutions, as its paper: not 4.1 G.
    assert round(count_macs(model) / 1e9, 2) == 3.86


def test_multiply_adds_of_mobilenet_v2_to_the_last():
    """Sum over the rows of the paper's table 2 (arXiv 1801.04381)."""
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    rows += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    size, channels, macs = 112, 32, 112**2 * 9 * 3 * 32
    for expansion, output, repeats, stride in rows:
        for number in range(repeats):
            hidden = expansion * channels
            macs += size**2 * channels * hidden * (expansion > 1)
            size //= stride if number == 0 else 1
            macs += size**2 * hidden * (9 + output)
            channels = output
    macs += size**2 * channels * 1280 + 1280 * 1000
    assert macs == 300_774_272
    model = keras.applications.MobileNetV2(weights=None)
    assert count_macs(model) == macs
    assert count_parameters(model) == 3_504_872


# -------------------------------------------------------------------- models within models


def test_nested_models_and_sequential():
    inner = keras.Sequential([keras.Input((6, 6, 4)), keras.layers.Conv2D(5, 3)])
    outer = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), inner])
    assert count_macs(outer) == 36 * 9 * 3 * 4 + 16 * 9 * 4 * 5
    assert count_macs(model_of(outer, keras.layers.ReLU())) == count_macs(outer)


def test_a_layer_that_is_called_twice_costs_twice():
    inputs = keras.Input((8, 8, 4))
    layer = keras.layers.Conv2D(4, 1)
    assert count_macs(keras.Model(inputs, layer(layer(inputs)))) == 2 * 64 * 16
    assert count_parameters(keras.Model(inputs, layer(layer(inputs)))) == 20


def test_models_of_several_inputs_and_outputs():
    left, right = keras.Input((8, 8, 2), name="left"), keras.Input((4,), name="right")
    outputs = {"a": keras.layers.Conv2D(3, 1)(left), "b": keras.layers.Dense(5)(right)}
    model = keras.Model({"left": left, "right": right}, outputs)
    assert count_macs(model) == 64 * 2 * 3 + 4 * 5


class Residual(keras.layers.Layer):
    """A layer of one's own that is made of stock layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Conv2D(4, 3, padding="same")
        self.second = layers.GhostModule(4)

    def call(self, inputs, training=None):
        return inputs + self.second(keras.ops.relu(self.first(inputs)))


class Gated(keras.layers.Layer):
    """A layer of two inputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(8)

    def call(self, inputs, gate):
        return self.dense(inputs) * gate


class Gram(keras.layers.Layer):
    """A layer without weights that multiplies all the same."""

    def call(self, inputs):
        return keras.ops.einsum("bij,bik->bjk", inputs, inputs)


class Attention(keras.layers.MultiHeadAttention):
    """A subclass that may do anything."""


class Foreign(keras.layers.Layer):
    """A layer that does not work on symbolic tensors."""

    def call(self, inputs):
        if keras.utils.is_keras_tensor(inputs):
            raise TypeError("no symbols")
        return inputs

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape)


class Unsized(keras.layers.Layer):
    """A layer that does not say how many positions it outputs."""

    def call(self, inputs):
        return inputs

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((inputs.shape[0], None, inputs.shape[2]))


class Kernel(keras.layers.Layer):
    """A layer that multiplies by a kernel in its own way."""

    def build(self, input_shape):
        self.mine = self.add_weight(shape=(input_shape[-1], 2), name="mine")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.mine)


class Classifier(keras.Model):
    """A subclassed model."""

    def __init__(self):
        super().__init__()
        self.body = Residual()
        self.head = keras.layers.Dense(3)

    def call(self, inputs):
        return self.head(keras.ops.mean(self.body(inputs), axis=(1, 2)))


RESIDUAL = 64 * (9 * 4 * 4 + 4 * 2 + 9 * 2)


def test_layers_of_ones_own_of_stock_layers():
    assert count_macs(model_of(Residual(), shape=(8, 8, 4))) == RESIDUAL


def test_subclassed_models_are_counted_for_a_given_shape():
    model = Classifier()
    model(np.zeros((1, 8, 8, 4), "float32"))
    with pytest.raises(ValueError, match="give `input_shape`"):
        count_macs(model)
    assert count_macs(model, (8, 8, 4)) == RESIDUAL + 4 * 3


def test_unknown_use_of_a_kernel_is_refused_and_named():
    with pytest.raises(ValueError, match=r"nothing is known about .*/mine"):
        count_macs(model_of(Kernel()))


@pytest.mark.parametrize(
    ("multiply", "name"),
    [
        (lambda x: keras.ops.matmul(x, x), "operation Matmul"),
        (lambda x: keras.ops.einsum("bij,bjk->bik", x, x), "operation Einsum"),
        (lambda x: keras.ops.dot(x, x), "operation Dot"),
        (lambda x: keras.ops.tensordot(x, x, 1), "operation Tensordot"),
        (lambda x: keras.ops.conv(x, np.ones((3, 8, 2), "float32")), "operation Conv "),
        (lambda x: keras.layers.Dot(1)([x, x]), "layer Dot"),
        (lambda x: keras.layers.Attention()([x, x]), "layer Attention"),
        (lambda x: keras.layers.AdditiveAttention()([x, x]), "layer AdditiveAttention"),
        (Gram(), "operation Einsum"),
        (lambda x: keras.layers.Dense(2)(Unsized()(x)), "layer Dense .*, called with unknown"),
        (lambda x: keras.layers.GRU(2)(Unsized()(x)), "layer GRU .*, called with unknown sizes"),
        (Foreign(), r"layer Foreign .*, whose call failed: no symbols"),
        (keras.layers.Lambda(lambda x: keras.ops.matmul(x, x)), "operation Matmul"),
        (keras.Sequential([keras.Input((8, 8)), Gram()]), "operation Einsum"),
        (lambda x: Attention(2, 3)(x, x), "operation (Einsum|Matmul|DotProductAttention)"),
        (
            lambda x: keras.layers.GroupQueryAttention(2, 4, 2)(x, x),
            "operation (Einsum|Matmul|DotProductAttention)",
        ),
    ],
)
def test_products_of_tensors_are_refused_and_named(multiply, name):
    x = keras.Input((8, 8))
    with pytest.raises(ValueError, match=f"cannot be counted: .*{name}"):
        count_macs(keras.Model(x, multiply(x)))


# --------------------------------------------------------------------------------- sizes


def test_unknown_sizes_have_to_be_given():
    model = small_network(None)
    with pytest.raises(ValueError, match=r"give `input_shape`, e\.g\."):
        count_macs(model)
    assert count_macs(model, (16, 16, 3)) == count_macs(small_network(16))


def test_shape_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="shape"):
        count_macs(small_network(None), (16, 16, 4))


def test_given_shape_is_for_one_input():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(inputs, keras.layers.Add()(inputs))
    with pytest.raises(ValueError, match="2 inputs: `input_shape` can be given for one only"):
        count_macs(model, (4,))


# ---------------------------------------------------------------- counting leaves no trace


def test_counting_leaves_the_model_as_it_was(tmp_path):
    model = small_network(16)
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    before, config = np.asarray(model(x)), model.to_json()
    weights = [np.asarray(weight).copy() for weight in model.weights]

    first = count_macs(model)
    assert count_macs(model) == first

    np.testing.assert_array_equal(model(x), before)
    np.testing.assert_allclose(model.predict(x, verbose=0), before, rtol=1e-4, atol=1e-5)
    for weight, value in zip(model.weights, weights, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert model.to_json() == config
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), before)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), before)
    # The layers' own outputs are those of the model, not those of the counting.
    maps = keras.Model(model.input, model.layers[1].output)
    np.testing.assert_array_equal(maps(x), model.layers[1](x))


def nested():
    inner = keras.Sequential([keras.Input((6, 6, 4)), keras.layers.Conv2D(5, 3)])
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), inner])


def with_bare_operations():
    inputs = keras.Input((8, 8, 4))
    return keras.Model(inputs, keras.ops.mean(Residual()(inputs) * 2.0, axis=(1, 2)))


def described(model):
    lines = []
    model.summary(expand_nested=True, print_fn=lines.append)
    operations = {}
    for layer in model._flatten_layers():
        for graph in (layer, getattr(layer, "_functional", None)):
            operations.update((id(part), part) for part in getattr(graph, "operations", [layer]))
    nodes = [(len(one._inbound_nodes), len(one._outbound_nodes)) for one in operations.values()]
    return lines, nodes


@pytest.mark.parametrize(
    "build",
    [
        lambda: GhostNet(0.25, weights=None),
        nested,
        with_bare_operations,
        lambda: keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None),
    ],
    ids=["GhostNet", "nested", "operations", "MobileNetV2"],
)
def test_counting_leaves_no_nodes(tmp_path, build):
    model = build()
    before = described(model)
    for _ in range(5):
        count_macs(model)
    assert described(model) == before
    x = np.zeros((2, *model.input_shape[1:]), "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-4, atol=1e-6)
    model.save(tmp_path / "model.keras")


def test_a_refusal_leaves_no_nodes():
    model = model_of(Kernel())
    before = described(model)
    with pytest.raises(ValueError, match="nothing is known"):
        count_macs(model)
    assert described(model) == before
