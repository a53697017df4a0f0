"""The operations of a SavedModel, and which of them are known to be harmless.

Loading a SavedModel runs its initializers, and TensorFlow has operations that read and write any
file. Those that may run here compute tensors from tensors, or decode images; variables are read
from the SavedModel alone. Nothing of a SavedModel is run to find out.
"""

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

SIGNATURE = "serving_default"
FILE, VARIABLES = "saved_model.pb", "variables/variables"
FILES = {
    FILE,
    "fingerprint.pb",
    f"{VARIABLES}.index",
    f"{VARIABLES}.data-00000-of-00001",
    "assets.extra/tf_serving_warmup_requests",
}
CALLS = {
    "NoOp", "PartitionedCall", "Placeholder", "StatefulPartitionedCall", "VarHandleOp",
}  # fmt: skip
SAVE = {
    "Const", "DisableCopyOnRead", "Identity", "MergeV2Checkpoints", "Pack", "ReadVariableOp",
    "SaveV2", "Select", "ShardedFilename", "StaticRegexFullMatch", "StringJoin",
}  # fmt: skip
RESTORE = {"AssignVariableOp", "Const", "Identity", "RestoreV2"}
# What exports of Keras classifiers are made of, and the rest of its kind.
_COMPUTE = """
    Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin AsString Asin Asinh Assert Atan Atan2
    Atanh AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd
    Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastTo Bucketize Cast Ceil
    ClipByValue Complex Concat ConcatV2 ConcatenateDataset Const Conv Conv2D Conv2DBackpropInput
    Conv3D Conv3DBackpropInputV2 Cos Cosh CropAndResize Cumprod Cumsum DatasetToSingleElement
    DecodeImage DecodeJpeg DecodePng DecodeRaw DenseBincount DepthToSpace DepthwiseConv2dNative
    Dilation2D DisableCopyOnRead Div DivNoNan Einsum Elu EnsureShape Equal Erf Erfc Erfinv
    EuclideanNorm Exp ExpandDims Expm1 ExtractImagePatches ExtractJpegShape FFT FFT2D Fill Floor
    FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2
    Greater GreaterEqual IFFT IFFT2D IRFFT IRFFT2D Identity IdentityN If IgnoreErrorsDataset
    Imag InvertPermutation IsFinite IsInf IsNan L2Loss LRN LeakyRelu LeftShift Less LessEqual
    LinSpace Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MapDataset MatMul
    MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV3 MatrixDiagV3 Max MaxPool MaxPool3D
    MaxPoolV2 Maximum Mean Min Minimum MirrorPad Mod Mul MulNoNan Neg NotEqual OneHot OnesLike
    Pack Pad PadV2 PlaceholderWithDefault Pow PreventGradient Prod RFFT RFFT2D Range Rank
    ReadVariableOp Real RealDiv Reciprocal Relu Relu6 Reshape ResizeArea ResizeBicubic
    ResizeBilinear ResizeNearestNeighbor Reverse ReverseV2 RightShift Rint Round Rsqrt
    ScaleAndTranslate ScatterNd Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size
    Slice Softmax Softplus Softsign SpaceToBatchND SpaceToDepth SparseCross SparseToDense Split
    SplitV Sqrt Square SquaredDifference Squeeze StatelessIf StatelessWhile StaticRegexFullMatch
    StaticRegexReplace StopGradient StridedSlice StringJoin StringLength StringToHashBucketFast
    Sub Substr Sum TakeDataset Tan Tanh TensorDataset TensorListFromTensor TensorListGetItem
    TensorListReserve TensorListSetItem TensorListStack TensorScatterUpdate Tile TopK TopKV2
    Transpose TruncateDiv TruncateMod Unpack UnsortedSegmentSum Where While Xdivy Xlogy
    ZerosLike
"""
COMPUTE = set(_COMPUTE.split())


def describe(path):
    """What a SavedModel holds, as `keras_ghostnet.export.contents.describe`.

    Args:
        path: Its folder, a `pathlib.Path`.

    Raises:
        ValueError: If it is damaged.
    """
    graph = _read(path)
    signature = graph.signature_def[SIGNATURE]
    classified = {}
    if "classify_uint8" in graph.signature_def:  # not of a classifier of pixels
        classes = graph.signature_def["classify_uint8"].outputs["classes"].tensor_shape.dim
        top_k = classes[1].size if len(classes) == 2 else None
        classified = {"labels": _labels(graph), "top_k": top_k}
    return {
        **{
            kind: [_tensor(name, info) for name, info in sorted(infos.items())]
            for kind, infos in (("inputs", signature.inputs), ("outputs", signature.outputs))
        },
        "precision": "float32",
        **classified,
    }


def require_harmless(path):
    """Refuses a SavedModel that does more than compute, before it is loaded.

    Args:
        path: Its folder, a `pathlib.Path`.

    Raises:
        ValueError: If it is damaged, or holds files or operations that no export makes, which the
            message names.
    """
    found = {x.relative_to(path).as_posix() for x in path.rglob("*") if not x.is_dir()}
    if strange := sorted(found - FILES):
        raise ValueError(f"it holds the file {strange[0]}, which no export of ours writes.")
    graph = _read(path)
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    saves, restores = (
        nodes.pop(_node(name), None)
        for name in (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    )
    for doing, start, allowed in (
        ("saves", [saves], SAVE),
        ("is loaded", [restores], RESTORE),
        ("runs", nodes.values(), COMPUTE),
    ):
        strange = _reached(filter(None, start), functions) - allowed - CALLS
        if strange:
            raise ValueError(
                f"when it {doing}, it takes operations that no export of ours makes: "
                f"{', '.join(sorted(strange)[:5])}. They might do anything, so it is not loaded."
            )


def _read(path):
    """The `MetaGraphDef` of a SavedModel."""
    try:
        content = saved_model_pb2.SavedModel.FromString((path / FILE).read_bytes())
        (graph,) = content.meta_graphs
    except (OSError, DecodeError, ValueError) as error:
        raise ValueError(f"{FILE} cannot be read, or is of another kind: {error}.") from error
    return graph


def _reached(nodes, functions):
    """The names of the operations of nodes, and of all functions that they call."""
    found, waiting, seen = set(), list(nodes), set()
    while waiting:
        node = waiting.pop()
        called = {
            function.name
            for value in node.attr.values()
            for function in (value.func, *value.list.func)
        }
        called.add(node.op)
        for name in called & set(functions) - seen:
            seen.add(name)
            waiting += functions[name].node_def
        if node.op not in functions:
            found.add(node.op)
    return found


def _node(tensor):
    return tensor.partition(":")[0]


def _labels(graph):
    """The names of the classes: what its functions look texts up in; None if they differ."""
    found = set()
    for function in graph.graph_def.library.function:
        nodes = {node.name: node for node in function.node_def}
        for node in function.node_def:
            source = nodes.get(_node(node.input[0])) if node.op == "GatherV2" else None
            if source is not None and source.attr["dtype"].type == tf.string.as_datatype_enum:
                texts = tf.make_ndarray(source.attr["value"].tensor)
                found.add(tuple(text.decode() for text in texts.reshape(-1)))
    return list(found.pop()) if len(found) == 1 else None


def _tensor(name, info):
    return {
        "name": name,
        "shape": [axis.size if axis.size > 0 else None for axis in info.tensor_shape.dim],
        "dtype": tf.as_dtype(info.dtype).name,
    }
