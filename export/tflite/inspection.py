"""What a `.tflite` file holds, read with LiteRT's own schema."""

import collections

from keras_ghostnet.export.graph.refusals import UnsupportedOperatorError

INSTALL = 'Install it with: pip install "keras_ghostnet[tflite]"'
# Shapes that are computed at run time break the network up for every delegate.
RUN_TIME_SHAPES = ("SHAPE", "PACK")

Graph = collections.namedtuple("Graph", ["subgraph", "operator_names", "type_names"])


def graph(content):
    """The first (only) subgraph of a file, names by operator code, names by tensor type.

    Args:
        content: The bytes of a `.tflite` file.

    Raises:
        ImportError: If LiteRT is missing.
    """
    schema = schema_module()
    model = schema.Model.GetRootAs(content)
    builtin = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    codes = (model.OperatorCodes(i) for i in range(model.OperatorCodesLength()))
    return Graph(
        model.Subgraphs(0),
        # Old files hold the code in a byte of its own.
        {
            i: builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            for i, code in enumerate(codes)
        },
        {code: name for name, code in vars(schema.TensorType).items()},
    )


def operators(content):
    """Counts a network's operators.

    Args:
        content: The bytes of a `.tflite` file.

    Returns:
        A `collections.Counter` of names such as `"CONV_2D"`; one that is not built in is
        `"CUSTOM"`.

    Raises:
        ImportError: If LiteRT is missing.
    """
    return collections.Counter(name for name, _ in _outputs(content))


def outputs(content):
    """The names of the operators' first outputs, in their order.

    Args:
        content: The bytes of a `.tflite` file.

    Raises:
        ImportError: If LiteRT is missing.
    """
    return [name for _, name in _outputs(content)]


def _outputs(content):
    """For each operator, its name and that of its first output, by the layer it comes from."""
    found = graph(content)
    return [
        (
            found.operator_names[operator.OpcodeIndex()],
            found.subgraph.Tensors(operator.Outputs(0)).Name().decode(),
        )
        for operator in map(found.subgraph.Operators, range(found.subgraph.OperatorsLength()))
    ]


def check(content, inputs, outputs=None):
    """Refuses a file of other types, or of operators that do not run everywhere.

    Args:
        content: The bytes of a `.tflite` file.
        inputs, outputs: The types they must have, such as `"int8"`; without `outputs`, the same.

    Raises:
        ImportError: If LiteRT is missing.
        ValueError: If the file does not fit.
    """
    found = graph(content)
    for kind, indices, expected in (
        ("input", found.subgraph.InputsAsNumpy(), inputs),
        ("output", found.subgraph.OutputsAsNumpy(), outputs or inputs),
    ):
        for index in indices:
            dtype = found.type_names[found.subgraph.Tensors(index).Type()].lower()
            if dtype != expected:
                raise ValueError(f"The TFLite file's {kind} is {dtype}, expected {expected}.")
    for kinds, problem in (
        (("CUSTOM",), "has operators that are not built in, which plain LiteRT cannot run"),
        (RUN_TIME_SHAPES, "computes shapes at run time, at which delegates break the network up"),
    ):
        scopes = [scope for name, scope in _outputs(content) if name in kinds]
        if scopes:
            raise UnsupportedOperatorError(f"the TFLite file {problem}", scopes)


def schema_module():
    """LiteRT's schema of the format.

    Raises:
        ImportError: If LiteRT is missing.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise ImportError(f"TFLite files are checked with LiteRT. {INSTALL}") from error
    return schema_py_generated
