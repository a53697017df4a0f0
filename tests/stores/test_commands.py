"""What commands read from a store and write to it: models, weights, artifacts, single files."""

import contextlib
import csv
import io
import json

import keras
import numpy as np
import pytest

import keras_ghostnet
from keras_ghostnet import cli, stores
from keras_ghostnet.benchmark.networks.random_weights import random_images, settle_batch_norms
from keras_ghostnet.model_reference import resolve_model
from tests.short_networks import short_networks
from tests.stores.server import Fault
from tests.training import runs

pytestmark = pytest.mark.stores
LABELS = ["class00", "class01"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """The folder of a run: a short GhostNet of two classes for images of 32 pixels."""
    folder = tmp_path_factory.mktemp("stores") / "run"
    folder.mkdir()
    keras.utils.set_random_seed(0)
    with short_networks():
        model = keras_ghostnet.GhostNet(0.5, classes=2, input_shape=(32, 32, 3))
    settle_batch_norms(model, random_images(8, 32, 32))
    model.save(folder / "model.keras")
    (folder / "config.json").write_text(
        json.dumps({"run": {"crop": 0.9, "seed": 0, "image_size": 32}, "classes": LABELS})
    )
    (folder / "metrics.csv").write_text("epoch\n1\n")
    (folder / "large").write_bytes(bytes(1 << 20))
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return runs.write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def url(store, run_dir):
    """The same run, published."""
    url = f"{store.url}/runs/one"
    with stores.mirrored(url) as folder:
        for path in run_dir.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    store.requests.clear()
    return url


def ghostnet(*words):
    """Carries a command out in this process: exit code, and what it printed."""
    printed, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        code = cli.main(cli.parse(["ghostnet", *map(str, words)]))
    return code, printed.getvalue(), errors.getvalue()


def test_a_run_is_a_model(store, url, run_dir):
    reference = resolve_model(url)
    assert (reference.labels, reference.crop) == (tuple(LABELS), 0.9)
    assert reference.origin == f"{url}/model.keras"
    assert not store.asked("large")  # of a run, what a model needs
    images = np.random.default_rng(0).random((2, 32, 32, 3), "float32")
    expected = keras.models.load_model(run_dir / "model.keras").predict(images, verbose=0)
    np.testing.assert_array_equal(reference.load().predict(images, verbose=0), expected)
    store.requests.clear()
    assert resolve_model(f"{url}/model.keras").labels == tuple(LABELS)
    assert not [path for method, path, _ in store.requests if path.endswith("model.keras")]


def test_weights(store, url, run_dir):
    with short_networks():
        for place in (url, f"{url}/model.keras"):
            model = keras_ghostnet.GhostNet(0.5, classes=2, input_shape=(32, 32, 3), weights=place)
            expected = keras.models.load_model(run_dir / "model.keras").get_weights()
            for ours, theirs in zip(model.get_weights(), expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_evaluate(store, url, run_dir, photos):
    words = ("--output", f"{store.url}/figures.json", "--picture", f"{store.url}/figures.png")
    code, printed, errors = ghostnet("evaluate", url, "--data", photos, *words)
    assert (code, errors) == (0, "")
    assert json.loads(store.files.cat(f"{store.url}/figures.json"))["examples"] == 10
    assert store.files.cat(f"{store.url}/figures.png").startswith(b"\x89PNG")
    assert (
        printed.splitlines()[-1]
        == ghostnet("evaluate", run_dir, "--data", photos)[1].splitlines()[-1]
    )


def test_export_verify_and_predict(store, url, photos, tmp_path):
    out = f"{store.url}/exports"
    formats = "tflite_fp32,saved_model"
    words = ("export", url, "--formats", formats, "--out", out, "--data", photos)
    code, printed, errors = ghostnet(*words)
    assert (code, errors) == (0, ""), printed
    assert "stores/mirrors" not in printed
    assert " MB" in printed
    name = resolve_model(url).load().name
    assert f"Next: ghostnet predict {out}/{name}" in printed
    found = {path.removeprefix(out.removeprefix("s3://")) for path in store.files.find(out)}
    assert {f"/{name}.keras", f"/{name}_fp32.tflite", f"/{name}/1/saved_model.pb"} <= found
    sidecar = json.loads(store.files.cat(f"{out}/{name}_fp32.tflite.json"))
    assert sidecar["source"]["origin"] == f"{url}/model.keras"

    code, printed, errors = ghostnet("verify", out)
    assert (code, errors) == (0, ""), printed
    image = next(photos.rglob("*.png"))
    expected = ghostnet("predict", url, image)[1]
    for artifact in (f"{out}/{name}_fp32.tflite", f"{out}/{name}/1"):
        code, printed, errors = ghostnet("predict", artifact, image)
        assert (code, errors, printed) == (0, "", expected)

    code, printed, errors = ghostnet(*words)  # replaced, and a version more
    assert (code, errors) == (0, "")
    assert store.files.exists(f"{out}/{name}/2/saved_model.pb")

    store.files.pipe(f"{out}/{name}_fp32.tflite", b"damaged")
    code, _, errors = ghostnet("verify", out)
    assert code == 1
    assert "is damaged" in errors


def test_what_is_wrong_is_named_by_its_url(store, url, photos, tmp_path):
    words = ("--formats", "tflite_fp32", "--out", tmp_path, "--data", photos)
    assert ghostnet("export", url, *words)[0] == 0
    (model,) = tmp_path.glob("*.keras")
    artifact = f"{model.stem}_fp32.tflite"
    place = f"{store.url}/exports"
    for path in tmp_path.iterdir():
        if path.is_file():
            store.files.put_file(path, f"{place}/{path.name}")
    wrong = [
        (("verify", f"{place}/{artifact}", "--layers"), f"{artifact} is a tflite_fp32"),
        (("verify", place), f"{place}/{model.name}, the model that the artifacts"),
        (
            ("predict", f"{place}/{artifact}", next(photos.rglob("*.png"))),
            f"{place}/{artifact} has",
        ),
        (("evaluate", f"{place}/{model.name}", "--data", photos), f"{place}/{model.name} cannot"),
        (("verify", f"{place}/nothing"), f"ghostnet: There is no {place}/nothing."),
    ]
    changes = (
        lambda: None,
        lambda: store.files.rm(f"{place}/{model.name}"),
        lambda: store.files.rm(f"{place}/{artifact}.json"),
        lambda: store.files.pipe(f"{place}/{model.name}", b"damaged"),
        lambda: None,
    )
    for change, (words, expected) in zip(changes, wrong, strict=True):
        change()
        code, _, errors = ghostnet(*words)
        assert code == 1
        assert expected in errors
        assert "stores/fetched" not in errors


def test_quantize(store, url, photos):
    code, printed, errors = ghostnet(
        "quantize", url, "--data", photos, "--steps", "1", "--batch-size", "4"
    )
    assert (code, errors) == (0, ""), printed
    assert f"Done: {url}/model_int8_qat.tflite" in printed
    found = stores.fetch(url)
    assert {"model_int8_qat.tflite", "model_int8_qat.tflite.json", "large"} <= {
        path.name for path in found.iterdir()
    }


def test_single_files(store, url, tmp_path):
    keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=2).save(
        tmp_path / "plain.keras"
    )
    store.files.put(str(tmp_path / "plain.keras"), f"{store.url}/plain.keras")
    out = f"{store.url}/ghost.keras"
    code, printed, errors = ghostnet("ghostify", f"{store.url}/plain.keras", "--out", out)
    assert (code, errors) == (0, "")
    assert f"--set model={out}" in printed
    assert resolve_model(out).load().count_params()
    code, _, errors = ghostnet("ghostify", out, "--out", out)
    assert (code, "would replace the network itself" in errors) == (1, True)
    keras_ghostnet.GhostNet(0.5, weights=None).save(tmp_path / "model.keras")
    store.files.put(str(tmp_path / "model.keras"), f"{store.url}/model.keras")
    words = (f"{store.url}/model.keras", f"{store.url}/x.weights.h5")
    code, printed, errors = ghostnet("convert-weights", *words)
    assert (code, errors) == (0, "")
    assert store.files.size(f"{store.url}/x.weights.h5") > 100_000


def test_recipes_name_models_in_stores(store, url, photos, tmp_path):
    settings = ("epochs=1", "batch_size=8", "image_size=32", f"model={url}/model.keras")
    words = ["train", "--recipe", "fine_tuning", "--data", photos, "--run-dir", tmp_path / "run"]
    words += [word for setting in (*settings, f"teacher={url}") for word in ("--set", setting)]
    code, printed, errors = ghostnet(*words)
    assert (code, errors) == (0, ""), printed


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(403, "ExpiredToken"), "credentials have expired"),
        (Fault(403, "AccessDenied"), "denies"),
        (Fault(503), "asked several times"),
    ],
)
def test_what_cannot_be_read(store, url, photos, fault, expected):
    store.faults.append(lambda method, path, count: fault)
    code, _, errors = ghostnet("evaluate", url, "--data", photos)
    assert code == 1
    assert expected in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3://nowhere/run", "there is no bucket nowhere"),
        ("{}/nothing", "There is no model"),
        ("nosuch://bucket/run", "no store that fsspec knows"),
        ("s3://", "names no place"),
        ("s3:///run", "names no place"),
    ],
)
def test_what_is_not_there(store, photos, place, expected):
    code, _, errors = ghostnet("evaluate", place.format(store.url), "--data", photos)
    assert code == 1
    assert expected in errors
    assert errors.count("\n") == 1


def test_what_takes_no_store(store, capsys):
    with pytest.raises(SystemExit):
        cli.parse(["ghostnet", "compare", "--export-only", "s3://bucket/x"])
    assert "argument --export-only: s3://bucket/x is not a local path" in capsys.readouterr().err


def test_profile_and_compare(store, url, photos, tmp_path):
    words = ("--formats", "tflite_fp32", "--out", f"{store.url}/exports", "--data", photos)
    code, _, errors = ghostnet("export", url, *words)
    assert code == 0, errors
    model = f"{store.url}/exports/{resolve_model(url).load().name}"
    calls, out = ("--calls", "5"), f"{store.url}/figures"
    code, printed, errors = ghostnet("profile", f"{model}_fp32.tflite", *calls, "--out", out)
    assert (code, errors) == (0, ""), printed
    name = model.rpartition("/")[2]
    assert f"{out}/{name}_fp32_profile.csv and .png" in printed
    assert store.files.cat(f"{out}/{name}_fp32_profile.csv").startswith(b"index,")
    assert store.files.cat(f"{out}/{name}_fp32_profile.png").startswith(b"\x89PNG")

    models, out = f"{url},{model}_fp32.tflite", f"{store.url}/compared"
    words = ("--models", models, "--formats", "fp32", "--cache", tmp_path, *calls)
    code, printed, errors = ghostnet("compare", *words, "--out", out)
    assert (code, errors) == (0, ""), printed
    assert f"Done: {out}/compare.html" in printed
    assert "stores/" not in printed.replace(store.url, "")
    (table,) = store.files.glob(f"{out}/*.csv")
    rows = csv.DictReader(io.StringIO(store.files.cat(table).decode()))
    assert {row["model"] for row in rows} == {url, model}
    code, printed, errors = ghostnet("compare", "--from", f"s3://{table}", "--out", f"{out}/again")
    assert (code, errors) == (0, ""), printed
    assert store.files.exists(f"{out}/again/compare.html")


def test_a_launch_file(store):
    out = f"{store.url}/job.sh"
    words = ("slurm", "--recipe", "smoke", "--data", "digits", "--run-dir", f"{store.url}/run")
    expected = ghostnet("launch", *words)[1]
    assert ghostnet("launch", *words, "--out", out) == (0, f"Done: {out}\n", "")
    assert store.files.cat(out).decode() == expected


def test_push(store, url, run_dir, photos):
    local = ghostnet("push", run_dir, "hf://me/bees", "--dry-run")
    assert local[0] == 0, local[2]
    assert ghostnet("push", url, "hf://me/bees", "--dry-run") == local
    assert not store.asked("large")
    words = ("--formats", "tflite_fp32", "--out", f"{url}/exports", "--data", photos)
    assert ghostnet("export", url, *words)[0] == 0
    code, printed, errors = ghostnet("push", url, "hf://me/bees", "--dry-run")
    assert (code, errors) == (0, "")
    assert "exports/" in printed
    there = ("--artifacts", f"{url}/exports")
    assert ghostnet("push", url, "hf://me/bees", "--dry-run", *there)[1] == printed


def test_an_export_that_cannot_be_written(store, url, photos):
    store.faults.append(
        lambda method, path, count: Fault(507, "InsufficientStorage") if method == "PUT" else None
    )
    code, printed, errors = ghostnet(
        "export", url, "--formats", "tflite_fp32", "--out", f"{store.url}/exports", "--data", photos
    )
    assert code == 1
    assert "is full" in errors
    assert "loaded" not in printed


def test_images_in_a_store(store, run_dir, photos, tmp_path):
    there = f"{store.url}/photos"
    store.files.put(f"{photos}/", f"{there}/", recursive=True)
    for words in (("evaluate", run_dir, "--data"), ("predict", run_dir)):
        local, stored = ghostnet(*words, photos), ghostnet(*words, there)
        assert stored[0] == 0, stored[2]
        assert stored[1].splitlines()[-1] == local[1].splitlines()[-1]
    image = next(photos.rglob("*.png")).relative_to(photos)
    code, printed, errors = ghostnet(
        "predict", run_dir, f"{there}/{image}", "--out", tmp_path / "page.html"
    )
    assert code == 0, errors
    assert "data:image/jpeg;base64," in (tmp_path / "page.html").read_text()
    words = ("--out", f"{store.url}/reports/page.csv")
    assert ghostnet("predict", run_dir, f"{there}/{image}", *words)[0] == 0
    assert store.files.cat(f"{store.url}/reports/page.csv").startswith(b"image,")
    words = ("--formats", "tflite_fp32", "--out", tmp_path / "out", "--data", there)
    code, printed, errors = ghostnet("export", run_dir, *words)
    assert (code, errors) == (0, ""), printed
    code, _, errors = ghostnet("verify", tmp_path / "out")  # on the same images
    assert (code, errors) == (0, "")
    assert ghostnet("predict", run_dir, f"{there}/none.png")[0] == 1
