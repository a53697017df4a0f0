"""What the layers are made of, in NumPy: written down from the definitions, not from Keras.

Feature maps are `(batch, height, width, channels)`, kernels
`(height, width, input channels of a group, output channels)`.
"""

import numpy as np

EPSILON = 1e-5  # PyTorch's batch norm


def convolve(x, kernel, strides=1, padding=0, dilation=1, groups=1):
    """Convolution, zero-padded.

    Args:
        padding: Rows and columns on each side, or pairs (before, after) of rows and of columns.
        groups: Output channel `o` sees the input channels of group `o // (outputs / groups)`.
    """
    rows, columns = padding if isinstance(padding, tuple) else ((padding, padding),) * 2
    x = np.pad(x, ((0, 0), rows, columns, (0, 0)))
    height, width, inputs, outputs = kernel.shape
    shape = [
        (size - (length - 1) * dilation - 1) // strides + 1
        for size, length in zip(x.shape[1:3], (height, width), strict=True)
    ]
    result = np.zeros((len(x), *shape, outputs), x.dtype)
    for row in range(height):
        for column in range(width):
            seen = x[:, row * dilation :: strides, column * dilation :: strides]
            seen = seen[:, : shape[0], : shape[1]]
            for output in range(outputs):
                first = output // (outputs // groups) * inputs
                part = seen[..., first : first + inputs]
                result[..., output] += part @ kernel[row, column, :, output]
    return result


def depthwise(x, kernel, **options):
    """A grouped convolution with one group a channel, of a kernel `(h, w, channels, multiplier)`.

    PyTorch writes it `Conv2d(c, c * m, groups=c)`: all outputs of one channel follow each other.
    """
    height, width, channels, multiplier = kernel.shape
    kernel = kernel.reshape(height, width, 1, channels * multiplier)
    return convolve(x, kernel, groups=channels, **options)


def same(size, kernel, strides=1, dilation=1):
    """What Keras' "same" pads before and after; less before than after where it is odd."""
    covered = (-(-size // strides) - 1) * strides + (kernel - 1) * dilation + 1
    total = max(covered - size, 0)
    return total // 2, total - total // 2


def relu(x):
    return np.maximum(x, 0)


def hard_sigmoid(x):
    return np.clip(x + 3, 0, 6) / 6


def mean(x):
    """Global average pooling that keeps the axes."""
    return x.mean(axis=(1, 2), keepdims=True)


class Weights(dict):
    """Random values of a layer's variables, by the path below the layer: `"ghost1/cheap_bn/beta"`.

    Args:
        layer: A built layer, which is given these values.
        seed: Of the values.
        **given: Some of the values, with `__` for the slashes of their paths.
    """

    def __init__(self, layer, seed=0, **given):
        rng = np.random.default_rng(seed)
        for variable in layer.weights:
            path = variable.path.partition("/")[2]
            # Kernels keep the maps' variance, so that half precision does not overflow.
            value = rng.normal(size=variable.shape) / max(1, np.prod(variable.shape[:-1])) ** 0.5
            if variable.name in ("gamma", "moving_variance"):
                value = rng.uniform(0.5, 1.5, variable.shape)
            variable.assign(given.pop(path.replace("/", "__"), value))
            self[path] = np.asarray(variable.value)
        assert not given, f"there are no {list(given)}"

    def part(self, name):
        """The values of one part."""
        start = f"{name}/"
        part = {path[len(start) :]: value for path, value in self.items() if path.startswith(start)}
        assert part, f"there is no {name}"
        return _with_values(part)

    def kernel(self, name):
        return self[f"{name}/kernel"]

    def bn(self, x, name):
        """Batch norm by its moving statistics."""
        scale = self[f"{name}/gamma"] / np.sqrt(self[f"{name}/moving_variance"] + EPSILON)
        return (x - self[f"{name}/moving_mean"]) * scale + self[f"{name}/beta"]


def _with_values(values):
    weights = Weights.__new__(Weights)
    weights.update(values)
    return weights


def images(*shape, seed=1):
    """Random maps in float64."""
    return np.random.default_rng(seed).normal(size=shape)


def assert_equal(actual, expected):
    """Equal up to float64's rounding."""
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-9, atol=1e-9)
