"""What `ghostnet push` uploads, and that the hub's models are what was pushed."""

import json
import pathlib
import re

import huggingface_hub
import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet.hub import contents, push
from keras_ghostnet.hub.card import markdown
from keras_ghostnet.hub.pushing import MARK
from keras_ghostnet.model_reference import resolve_model
from keras_ghostnet.preprocessing import normalize
from keras_ghostnet.training.data.label_maps import decode_map
from tests.export.command import ghostnet
from tests.hub.conftest import LABELS, hub_on_loopback
from tests.short_networks import short_networks

NAME = "org/bees"
TEXT = f"hf://{NAME}"
FILES = {"README.md", "config.json", "metrics.csv", "metrics.json", "model.keras",
         "model.safetensors"}  # fmt: skip

pytestmark = pytest.mark.usefixtures("short_networks")


@pytest.fixture
def token(hub_server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_writer")


@pytest.fixture
def collected(monkeypatch, tmp_path):
    """What a push uploads, without a network: a card, and a file that is large for the server."""

    def collect(reference, *_):
        (tmp_path / "README.md").write_text(f"{MARK} again")
        path = pathlib.Path(reference.origin)
        return contents.Contents({"README.md": tmp_path / "README.md", "model.keras": path}, [])

    monkeypatch.setattr(contents, "collect", collect)


@pytest.fixture(scope="session")
def files(run_dir, tmp_path_factory):
    """The files of a repository that a run was pushed to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_writer")
        with hub_on_loopback(tmp_path_factory.mktemp("pushed"), patch) as server:
            with short_networks():
                result = push(run_dir, TEXT)
            repository = server.repositories[NAME]
            assert repository.names["main"] == result.commit
            assert result.url.endswith(result.commit)
            assert server.asked("/commit/") == 1
            assert not repository.private
            return repository.commits[result.commit]


@pytest.fixture
def pushed(hub_server, files):
    """The same files, in the hub of a test."""
    hub_server.add(NAME, files)
    return files


def test_everything_in_one_commit(pushed, run_dir):
    assert set(pushed) == FILES | {".gitattributes"}
    for name in ("model.keras", "metrics.json"):
        assert pushed[name] == (run_dir / name).read_bytes()
    assert b"/home/me" not in b"".join(pushed[name] for name in FILES - {"model.keras"})


def test_config_as_timm_reads_it(pushed):
    config = json.loads(pushed["config.json"])
    inner = config["pretrained_cfg"]
    assert (config["architecture"], config["num_classes"]) == ("ghostnet_050", 3)
    assert config["label_names"] == LABELS
    assert (inner["input_size"], inner["crop_pct"]) == ([3, 32, 32], 0.9)
    assert (inner["first_conv"], inner["classifier"]) == ("conv_stem", "classifier")
    assert (inner["mean"], inner["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def test_the_card(pushed):
    text = pushed["README.md"].decode()
    _, front, body = text.split("---\n", 2)
    assert "pipeline_tag: image-classification\n" in front
    assert 'base_model: "timm/ghostnet_050"\n' in front
    assert '- "ghostnet_050"\n' in front
    assert f"ghostnet predict {TEXT} IMAGE" in body
    assert f'timm.create_model("hf-hub:{NAME}", pretrained=True)' in body
    assert "| 0.5000 | 87.50 | 100.00 |" in body
    assert "&lt;b\\>\\*bee\\*&lt;/b\\>" in body
    assert "wasp \\| \\[x\\]\\(y\\)" in body
    assert "<b>" not in body


def test_markdown_has_no_lines_nor_markup():
    assert markdown("a\n# b\x1b[0m <i>&amp;") == "a\\\\n\\# b\\\\x1b\\[0m &lt;i\\>&amp;amp;"


def same(a, b, images):
    np.testing.assert_array_equal(a(images), b(images))


def test_a_pushed_model_is_evaluated_and_built_on(hub_server, pushed, run_dir, capsys):
    """The whole model, its weights alone in the same constructor, and after it has moved on."""
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    model = resolve_model(run_dir).load()
    reference = resolve_model(TEXT)
    assert reference.labels == tuple(LABELS)
    assert (reference.crop, reference.data) == (0.9, None)
    assert re.fullmatch(rf"{TEXT}@[0-9a-f]{{40}}", reference.origin)
    same(model, reference.load(), images)
    built = keras_ghostnet.GhostNet(0.5, classes=3, input_shape=(32, 32, 3), weights=TEXT)
    same(model, built, images)
    hub_server.repositories[NAME].commit({"README.md": b"gone"})
    assert resolve_model(reference.text).origin == reference.origin
    with pytest.raises(ValueError, match="holds no weights"):
        resolve_model(TEXT)


def test_a_repository_with_weights_alone(hub_server, pushed):
    """As timm's are: the network is built, of the size, classes and normalization that it says."""
    images = np.random.default_rng(0).uniform(0, 255, (2, 40, 40, 3)).astype("float32")
    config = json.loads(pushed["config.json"])
    weights = {"model.safetensors": pushed["model.safetensors"]}
    hub_server.add("timm/a", weights | {"config.json": json.dumps(config).encode()})
    config["pretrained_cfg"] |= {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 40, 40]}
    hub_server.add("timm/b", weights | {"config.json": json.dumps(config).encode()})
    usual, other = resolve_model("hf://timm/a").load(40), resolve_model("hf://timm/b").load()
    assert (usual.input_shape, other.input_shape) == ((None, 40, 40, 3),) * 2
    np.testing.assert_allclose(other(images), usual((images / 255 - 0.5) / 0.25), atol=1e-5)


def test_predict_by_the_command(hub_server, pushed, tmp_path, capsys):
    keras.utils.save_img(tmp_path / "a.png", np.zeros((32, 32, 3)), scale=False)
    assert ghostnet("predict", TEXT, tmp_path / "a.png") == 0
    printed = capsys.readouterr().out
    assert f"{TEXT}: commit " in printed
    assert "wasp | [x](y)" in printed
    assert ghostnet("predict", "hf://org/wasps", tmp_path / "a.png") == 1
    assert "There is no model org/wasps" in capsys.readouterr().err


# ------------------------------------------------------------------ nothing without the command


def test_a_dry_run_uploads_nothing(hub_server, run_dir, capsys):
    assert ghostnet("push", run_dir, TEXT, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in FILES)
    assert "nothing was uploaded" in printed
    assert not hub_server.requests


@pytest.mark.parametrize(
    ("token", "repository", "message"),
    [
        (None, TEXT, "log in with `hf auth login`, or set HF_TOKEN with a token that may write"),
        ("hf_wrong", TEXT, "The token is not valid"),
        ("hf_reader", TEXT, "The token may only read"),
        ("hf_writer", "hf://others/bees", "The token has no right to it"),
        ("hf_writer", f"{TEXT}@v1", "Leave @v1 out"),
        ("hf_writer", "hf://bees", "names no model"),
    ],
)
@pytest.mark.usefixtures("collected")
def test_refusals(hub_server, run_dir, monkeypatch, capsys, token, repository, message):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert ghostnet("push", run_dir, repository) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert not hub_server.repositories


@pytest.mark.usefixtures("collected", "token")
def test_a_public_repository_does_not_become_private(hub_server, pushed, run_dir):
    with pytest.raises(ValueError, match="exists and is public"):
        push(run_dir, TEXT, private=True)
    push(run_dir, "hf://me/secret", private=True)
    assert hub_server.repositories["me/secret"].private


def test_a_classifier_of_pixels(hub_server, token, tmp_path, capsys):
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1, name="logits")(inputs), name="pixels")
    model.save(tmp_path / "model.keras")
    described = {"run": {"name": "segmentation", "crop": 1.0}, "classes": ["sky", "sea", "land"]}
    (tmp_path / "config.json").write_text(json.dumps(described))
    best = {"val_loss": 0.25, "val_accuracy": 0.96875, "val_mean_iou": 0.8125}
    (tmp_path / "metrics.json").write_text(json.dumps({"best": best}))
    result = push(tmp_path, TEXT)
    assert "model.safetensors is left out" in result.notes[0]
    text = hub_server.repositories[NAME].commits[result.commit]["README.md"].decode()
    assert "pipeline_tag: image-segmentation\ntags:\n- image-segmentation\n" in text
    assert "pixels, a classifier of pixels, of 3 classes with 12 weights" in text
    table = ["| Loss | Pixels, % | Mean IoU, % |", "|---:|---:|---:|", "| 0.2500 | 96.88 | 81.25 |"]
    assert "\n".join(table) in text
    assert f"ghostnet predict {TEXT} IMAGE --masks DIR\n```" in text
    keras.utils.save_img(tmp_path / "a.png", np.full((32, 32, 3), 200), scale=False)
    assert ghostnet("predict", TEXT, tmp_path / "a.png", "--masks", tmp_path / "masks") == 0
    mask = decode_map((tmp_path / "masks" / "a.png").read_bytes())
    (expected,) = np.unique(model(normalize(np.full((1, 32, 32, 3), 200))).numpy().argmax(axis=-1))
    assert set(np.unique(mask)) == {expected}


def test_what_is_not_one_s_own(hub_server, token):
    with pytest.raises(ValueError, match="ghostnet_100 is published already"):
        push("ghostnet_100", TEXT)
    assert not hub_server.requests


@pytest.mark.parametrize("fault", ["/preupload/", "/objects/", "/commit/"])
@pytest.mark.usefixtures("collected", "token")
def test_a_push_that_fails_changes_nothing(hub_server, run_dir, fault):
    hub_server.add(NAME, {"README.md": b"# Mine", "other.txt": b"stays"})
    before = hub_server.repositories[NAME].names["main"]
    hub_server.faults.append(lambda method, path, count: 400 if fault in path else None)
    with pytest.raises((OSError, ValueError), match=f"Nothing in {TEXT} was changed"):
        push(run_dir, TEXT)
    assert hub_server.repositories[NAME].names["main"] == before
    hub_server.faults.clear()
    result = push(run_dir, TEXT)
    if fault == "/commit/":
        assert hub_server.asked("PUT /objects/") == 1  # what has arrived is not sent again
    assert f"README.md of {TEXT} stays as it is." in result.notes
    files = hub_server.repositories[NAME].commits[result.commit]
    assert set(files) == {"README.md", "other.txt", "model.keras"}
    assert files["README.md"] == b"# Mine"


@pytest.mark.usefixtures("collected", "token")
def test_a_card_of_an_earlier_push_is_replaced(hub_server, pushed, run_dir):
    result = push(run_dir, TEXT)
    files = hub_server.repositories[NAME].commits[result.commit]
    assert files["README.md"].endswith(b" again")
    assert set(files) == set(pushed)


@pytest.mark.usefixtures("collected", "token")
def test_an_overloaded_hub(hub_server, run_dir, monkeypatch):
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
    hub_server.faults.append(
        lambda method, path, count: (
            503 if count < 1 and any(part in path for part in ("whoami", "/commit/")) else None
        )
    )
    assert push(run_dir, TEXT).commit == hub_server.repositories[NAME].names["main"]
