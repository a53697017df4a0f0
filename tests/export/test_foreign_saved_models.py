"""SavedModels that may be anybody's: what their operations and files may be."""

import shutil

import pytest

from keras_ghostnet.export import ArtifactError, sidecar, verify
from keras_ghostnet.export.saved_model import operations
from keras_ghostnet.export.saved_model.session import ServingSession


@pytest.fixture
def saved_model(exported, tmp_path):
    return shutil.copytree(exported / "small" / "1", tmp_path / "1")


def change(folder, edit):
    """Edits the graph of a SavedModel."""
    path = folder / operations.FILE
    content = operations.saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(content.meta_graphs[0])
    path.write_bytes(content.SerializeToString())


def at_start(graph):
    graph.graph_def.node.add(name="evil", op="WriteFile")


def in_a_function(graph):
    graph.graph_def.library.function[0].node_def.add(name="evil", op="ReadFile")


def among_what_saves(graph):
    node = graph.graph_def.node.add(name="evil", op="SaveV2")
    node.input.append("^NoOp")


def in_what_restores(graph):
    for function in graph.graph_def.library.function:
        if "traced_restore" in function.signature.name:
            function.node_def.add(name="evil", op="MergeV2Checkpoints")


def in_what_saves(graph):
    for function in graph.graph_def.library.function:
        if "traced_save" in function.signature.name:
            function.node_def.add(name="evil", op="PyFunc")


def an_unknown_call(graph):
    graph.graph_def.node.add(name="evil", op="Copycat")


OPERATIONS = {
    at_start: "WriteFile", in_a_function: "ReadFile", among_what_saves: "SaveV2",
    in_what_restores: "MergeV2Checkpoints", in_what_saves: "PyFunc", an_unknown_call: "Copycat",
}  # fmt: skip


@pytest.mark.parametrize("edit", OPERATIONS, ids=lambda edit: edit.__name__)
def test_operations_that_do_more_than_compute(edit, saved_model):
    operations.require_harmless(saved_model)
    change(saved_model, edit)
    with pytest.raises(ValueError, match=rf"no export of ours makes: {OPERATIONS[edit]}\."):
        operations.require_harmless(saved_model)


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt", "assets/names.txt"])
def test_other_files_of_a_saved_model(name, saved_model):
    (saved_model / name).write_text("")
    with pytest.raises(ValueError, match=f"it holds the file {name}"):
        operations.require_harmless(saved_model)


def test_verify_loads_no_such_saved_model(exported, saved_model, tmp_path):
    """TensorFlow's initializers run when it is loaded: this one would write a file."""
    folder = tmp_path / "folder"
    shutil.copytree(saved_model, folder / "small" / "1")
    shutil.copy(exported / "small.keras", folder)
    written = tmp_path / "written"

    def edit(graph):
        nodes = graph.graph_def.node
        for name, text in (("name", str(written)), ("content", "x")):
            node = nodes.add(name=name, op="Const")
            node.attr["dtype"].type = operations.tf.string.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(operations.tf.make_tensor_proto(text))
        nodes.add(name="write", op="WriteFile").input.extend(["name", "content"])
        graph.collection_def["saved_model_main_op"].node_list.value[:] = ["write"]
        graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "write"

    change(folder / "small" / "1", edit)
    artifact = folder / "small" / "1"
    content = sidecar.read(exported / "small" / "1.json")
    sidecar.write(artifact, content, sidecar.path_of(artifact))
    with pytest.raises(ArtifactError, match=r"saved_model: 1 is not run: .*WriteFile"):
        verify(folder)
    assert not written.exists()
    ServingSession(artifact).close()  # so much for the plant
    assert written.exists()
