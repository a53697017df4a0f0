"""Which operator of a file each piece of XNNPACK's work belongs to.

XNNPACK reports only names, e.g. "Convolution (NHWC, F32) DWConv", in the order in which its
operators ran. That is the file's order, but it merges some of the file's operators into others,
leaves some out, and needs several for others.
"""

import functools
import math

# Beginnings of XNNPACK's names, and the file's operators that they may stand for.
MEANINGS = {
    "Add": ("ADD",),
    "Argmax": ("ARG_MAX",),
    "Average Pooling": ("AVERAGE_POOL_2D",),
    "Clamp": ("RELU", "RELU6", "RELU_N1_TO_1", "ADD", "CONCATENATION", "MEAN", "MUL"),
    "Concatenate": ("CONCATENATION",),
    "Constant Pad": ("PAD", "PADV2"),
    "Convert": ("QUANTIZE", "DEQUANTIZE", "CAST"),
    "Convolution (NHWC": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "Copy": ("CONCATENATION", "RESHAPE", "SPLIT", "SLICE", "STRIDED_SLICE", "PAD"),
    "Fully Connected": ("CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL"),
    "Global Average Pooling": ("MEAN", "AVERAGE_POOL_2D"),
    "HardSwish": ("HARD_SWISH",),
    "Max Pooling": ("MAX_POOL_2D",),
    "Mean": ("MEAN", "AVERAGE_POOL_2D"),
    "Multiply": ("MUL",),
    "Sigmoid": ("LOGISTIC",),
    "Slice": ("SPLIT", "SLICE", "STRIDED_SLICE"),
    "Softmax": ("SOFTMAX",),
    "Static Reshape": ("RESHAPE", "MEAN", "FULLY_CONNECTED", "CONV_2D"),
    "Subtract": ("SUB",),
    "Transpose": ("TRANSPOSE",),
}
# Operators that XNNPACK may leave out: they become part of a neighbor, or move nothing.
OPTIONAL = (
    "CONCATENATION",
    "DEQUANTIZE",
    "PAD",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "RESHAPE",
    "SPLIT",
)
WRONG, LEFT_OUT, UNKNOWN, AGAIN = 100.0, 30.0, 3.0, 0.5  # costs; what is as expected costs nothing


def attribute(names, operators):
    """Finds the operator of each name: the cheapest way to go through both lists in order.

    Args:
        names: XNNPACK's, and LiteRT's where it runs an operator itself, in the order of running.
        operators: Names of the file's operators, in its order, such as `"CONV_2D"`.

    Returns:
        A list of indices into `operators`, one for each of `names`, not falling; or None in it
        where nothing fits.
    """
    # Of the first j names, with the operators so far: the least cost.
    costs = [0.0] + [math.inf] * len(names)
    choices = []  # for every operator and j: how many of the names, up to the j-th, are its own
    for operator in operators:
        skipped = 0.0 if operator in OPTIONAL else LEFT_OUT
        best, counts = [costs[0] + skipped], [0]
        mine, length = math.inf, 0  # if the last of these names is the operator's own
        for j, name in enumerate(names, 1):
            fit = _cost(name, operator)
            first, more = (costs[j - 1] + fit, 1), (mine + fit + AGAIN, length + 1)
            mine, length = min(first, more)
            cost, count = min((costs[j] + skipped, 0), (mine, length))
            best.append(cost)
            counts.append(count)
        choices.append(counts)
        costs = best
    found, j = [None] * len(names), len(names)
    for index in range(len(operators) - 1, -1, -1):
        for _ in range(choices[index][j]):
            j -= 1
            found[j] = index
    return [
        None if index is None or _cost(name, operators[index]) == WRONG else index
        for name, index in zip(names, found, strict=True)
    ]


@functools.cache
def _cost(name, operator):
    if name.startswith(operator):  # LiteRT's own
        return 0.0
    # The longest beginning says most.
    known = max((start for start in MEANINGS if name.startswith(start)), key=len, default=None)
    if known is None:
        return UNKNOWN
    return 0.0 if operator in MEANINGS[known] else WRONG
