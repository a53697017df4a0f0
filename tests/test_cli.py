"""The `ghostnet` command as a user runs it: what it prints, and with which exit code it ends."""

import argparse
import importlib
import os
import pathlib
import re
import subprocess
import sys

import keras
import pytest

import keras_ghostnet
from keras_ghostnet import cli, console, extras, specs
from keras_ghostnet.cli import tables
from keras_ghostnet.training import recipes
from keras_ghostnet.weights import REGISTRY
from tests.golden.checkpoints import Golden
from tests.training import runs
from tests.weights import checkpoint_files

GHOSTNET = pathlib.Path(sys.executable).with_name("ghostnet")


def ghostnet(*arguments, columns=120):
    """Runs the console command; returns the finished process."""
    return subprocess.run(
        [GHOSTNET, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": str(columns)},
    )


def run(capsys, *arguments):
    """Runs the command in this process; returns its exit code and what it printed."""
    try:
        code = cli.main(cli.parse(["ghostnet", *map(str, arguments)]))
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


def options(command):
    """The options of one command that take a value, as `argparse` knows them."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"keras_ghostnet.cli.{command}").arguments(parser)
    return [option for action in parser._actions for option in action.option_strings]


# What has to answer at once, and with which exit code.
AT_ONCE = [
    (0, ["--help"]),
    (0, ["--version"]),
    *[(0, [name.replace("_", "-"), "--help"]) for name in cli.COMMANDS],
    (0, ["models"]),
    (0, ["recipes"]),
    (0, ["recipes", "smoke"]),
    (0, ["weights"]),
    (0, ["weights", "ghostnet_130"]),
    (2, []),
    (2, ["trian"]),
    (2, ["train"]),
    (2, ["evaluate", "run", "--data", "digits", "--batch-size", "many"]),
    (2, ["export", "run", "--formats", "all", "--out", "x", "--io", "int4"]),
    (2, ["compare", "--threads", "two"]),
    (1, ["models", "ghostnet_10"]),
    (1, ["weights", "nosuch"]),
    (1, ["recipes", "nosuch"]),
    (1, ["train", "--recipe", "nosuch", "--data", "digits", "--run-dir", "x"]),
    (1, ["train", "--recipe", "smoke", "--data", "digits", "--run-dir", "x", "--set", "lr=1"]),
    (1, ["launch", "slurm", "--recipe", "nosuch", "--data", "x", "--run-dir", "y"]),
    (0, ["launch", "slurm", "--recipe", "smoke", "--data", "x", "--run-dir", "y"]),
    (0, ["launch", "kubernetes", "--recipe", "smoke", "--data", "digits", "--run-dir", "gs://x/y"]),
    (1, ["launch", "slurm", "--recipe", "smoke", "--data", "s3://", "--run-dir", "y"]),
    (1, ["evaluate", "nosuch", "--data", "digits"]),
    (1, ["evaluate", "nosuch.keras", "--data", "digits"]),
    (1, ["evaluate", "ghost_vgg16", "--data", "digits"]),  # no weights of it are published
    (1, ["export", "nosuch", "--formats", "all", "--out", "x"]),
    (1, ["predict", "nosuch", "image.png"]),
    (1, ["predict", "nosuch.tflite", "image.png"]),
    (1, ["quantize", "runs/nosuch", "--data", "digits"]),
    (1, ["verify", "nosuch"]),
]
PROGRAM = """
import sys
sys.argv = ["ghostnet"]
from keras_ghostnet import cli
for expected, arguments in {cases}:
    try:
        code = cli.main(cli.parse(["ghostnet", *arguments]))
    except SystemExit as end:
        code = end.code or 0
    assert code == expected, (arguments, code)
    large = {{"absl", "h5py", "jax", "keras", "matplotlib", "numpy", "tensorflow", "torch"}}
    assert not large & set(sys.modules), (arguments, large & set(sys.modules))
"""


def test_help_and_errors_of_usage_import_nothing_large():
    code = PROGRAM.format(cases=AT_ONCE)
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)


def test_the_console_command(tmp_path):
    done = ghostnet("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in cli.COMMANDS:
        assert command.replace("_", "-") in done.stdout
    done = ghostnet("models", "ghostnet_10")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ghostnet: Unknown model 'ghostnet_10'. Did you mean")


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"keras_ghostnet {keras_ghostnet.__version__}\n", "")


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("models", specs.SPECS),
        ("weights", [name for key in REGISTRY for name in key]),
        ("recipes", [*recipes.RECIPES, *(each.model for each in recipes.RECIPES.values())]),
    ],
)
def test_a_terminal_of_80_columns_shows_names_whole(command, names, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = run(capsys, command)
    assert (code, err) == (0, "")
    assert set(names) <= set(re.split(r"[\s,]+", out))
    assert max(map(len, out.splitlines())) <= 80


def test_models_are_counted_for_other_sizes(capsys):
    _, out, _ = run(capsys, "models", "ghostnet_100", "g_ghost_regnetx_032")
    assert "5,182,508" in out
    assert "141.15" in out
    assert "1,801.75" in out
    _, out, _ = run(capsys, "models", "ghostnet_100", "--size", "160")
    assert "5,182,508" in out
    assert "73.98" in out


def test_weights_lists_the_registry(capsys):
    _, out, _ = run(capsys, "weights")
    assert out.count("imagenet") == 19
    _, out, _ = run(capsys, "weights", "ghostnet_130")
    assert "md5:62571bb90d71a7487679ae97642d13fb" in out
    assert "79.38" in out


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "model.pdparams"
    checkpoint_files.write_paddle(path, Golden("paddle_ghostnet_050_224").tensors())
    return path


def test_convert_weights_prints_what_it_mapped(checkpoint, tmp_path):
    done = ghostnet("convert-weights", checkpoint, tmp_path / "out.keras")
    assert (done.returncode, done.stderr) == (0, "")
    assert "_ghostbottleneck_3.se_block.squeeze.weight" in done.stdout
    assert "stage3_block1/se/reduce/kernel" in done.stdout
    assert "432 tensors, each used once" in done.stdout
    assert (tmp_path / "out.keras").stat().st_size > 1e7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("models", "ghostnet_10"), "Did you mean 'ghostnet_100'"),
        (("weights", "nosuch"), "Unknown model 'nosuch'"),
        (("convert-weights", "nosuch.pth", "out.keras"), "nosuch.pth: no such file"),
        (("models", "ghostnet_100", "--size", "16"), "at least 32 x 32"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_1(arguments, message, capsys):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("ghostnet: ")
    assert message in err


@pytest.mark.parametrize(
    ("given", "end"), [("trian", "Did you mean train?\n"), ("xyz", "'data-service')\n")]
)
def test_unknown_command_is_named_and_the_nearest(given, end, capsys):
    code, _, err = run(capsys, given)
    assert code == 2
    assert given in err
    assert err.endswith(end)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_options_are_spelled_with_hyphens(command):
    assert [option for option in options(command) if "_" in option] == []


def test_options_are_taken_with_underscores():
    words = ["--checkpoint_steps", "2", "--run_dir=my_run", "--bad-limit", "0.5"]
    args = cli.parse(["ghostnet", "train", "--recipe", "r", "--data", "d", *words])
    assert (args.checkpoint_steps, args.run_dir, args.bad_limit) == (2, "my_run", 0.5)


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("tensorflow.python", "tensorflow"),
        ("flatbuffers", "tensorflow"),
        ("nncf", '"keras_ghostnet[openvino]"'),
    ],
)
def test_what_brings_a_module_that_is_missing(module, wanted):
    text = extras.explain(ModuleNotFoundError(f"No module named '{module}'", name=module))
    name = module.partition(".")[0]
    assert text == f"This needs {name}, which is not installed. Install with: pip install {wanted}"


PATHS = {"DIR", "FILE", "SOURCE", "IN", "OUT", "RUN", "IMAGES", "IMAGE", "CSV", "MODEL"}
STORED = {  # what may be in a store, too
    "compare": {"out", "csvs"},
    "convert_weights": {"input", "output"},
    "demo": {"model", "data"},
    "evaluate": {"model", "data", "output", "picture"},
    "export": {"model", "out", "data", "labels", "calibration"},
    "ghostify": {"model", "out", "data"},
    "launch": {"data", "run_dir", "out"},
    "make_records": {"input", "output"},
    "predict": {"model", "images", "out", "masks"},
    "profile": {"model", "out"},
    "push": {"model", "artifacts"},
    "quantize": {"run_dir", "data", "out"},
    "train": {"data", "run_dir"},
    "verify": {"folder", "data"},
}


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_paths_are_local_and_the_home_folder_is_found(command, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    parser = argparse.ArgumentParser()
    importlib.import_module(f"keras_ghostnet.cli.{command}").arguments(parser)
    for action in parser._actions:
        if action.metavar in PATHS:
            assert action.type("~/x") == "/home/somebody/x", action.dest
            assert action.type("tfds:mnist") == "tfds:mnist"
            assert action.type("file:///x") == "/x"
            if action.dest in STORED.get(command, ()):
                assert action.type("gs://bucket/x") == "gs://bucket/x"
                continue
            with pytest.raises(argparse.ArgumentTypeError, match="not a local path"):
                action.type("gs://bucket/x")


def test_an_address_is_refused_by_the_name_of_its_option(capsys):
    words = ("export", "model.keras", "--formats", "all", "--out=hf://bucket/exports")
    code, _, errors = run(capsys, *words)
    assert code == 2
    assert "argument --out: hf://bucket/exports is not a local path" in errors


@pytest.mark.parametrize("words", [["recipes"], ["recipes", "digits"], ["models"], ["--help"]])
def test_a_reader_that_stops_early_is_no_error(words):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([GHOSTNET, *words], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.stderr == ""


TRAIN = ["train", "--recipe", "smoke", "--data", "digits", "--run-dir", "run"]
EXPORT = ["export", "model.keras", "--data", "photos", "--out", "out", "--formats"]
# The first extra that a command needs, in a bare install beside TensorFlow.
NEEDS = {
    "train": [TRAIN],
    "train, evaluate": [["evaluate", "model.keras", "--data", "photos"]],
    "train, predict": [["predict", "model.keras", "photos"]],
    "train, quickstart": [["quickstart", "--run-dir", "run"]],
    "tflite": [[*EXPORT, "tflite_fp32"]],
    "onnx": [[*EXPORT, "onnx_fp32"]],
    "serving": [[*EXPORT, "saved_model"]],
    "quantize": [["quantize", "model.keras", "--data", "photos"], [*EXPORT, "tflite_int8_qat"]],
    "compare": [["compare"]],
    "tflite, profile": [["profile", "model.keras"]],
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder of photos, a model, and an artifact whose runtime is missing."""
    folder = tmp_path_factory.mktemp("bare")
    runs.write_photos(folder / "photos", train=2, val=1)
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential(layers).save(folder / "model.keras")
    return folder


@pytest.mark.parametrize(
    ("extra", "words"),
    [(extra, words) for extra, commands in NEEDS.items() for words in commands],
    ids=lambda value: " ".join(value[:1] + value[-1:]) if isinstance(value, list) else value,
)
def test_a_bare_install_says_which_extra_it_needs(extra, words, bare, monkeypatch, capsys):
    monkeypatch.chdir(bare)
    for name in [name for name in sys.modules if name.partition(".")[0] in extras.EXTRAS]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in extras.EXTRAS:
        monkeypatch.setitem(sys.modules, name, None)
    code, _, errors = run(capsys, *words)
    assert code == 1
    assert len(errors.splitlines()) == 1
    name = extra.partition(",")[0]
    assert re.search(rf'Install (it )?with: pip install "keras_ghostnet\[[a-z,]*{name}[],]', errors)


def test_text_is_shown_as_it_is(capsys):
    shown = console.new_console(width=80)
    with console.step(shown, "[bold]") as say:
        say("[bold] :smile: $5_$10")
    table = tables.new_table(names=("[/class]",))
    table.add_row("[red]ant[/red] :bee:")
    shown.print(table)
    output = capsys.readouterr().out
    for text in ("[bold] :smile: $5_$10", "[red]ant[/red] :bee:"):
        assert text in output


def test_names_of_formats(capsys):
    """Blanks may follow the commas; no name at all is not the default."""
    given = ["ghostnet", "export", "run", "--out", "out", "--formats"]
    assert cli.parse([*given, "mnn_fp32, web,"]).formats == ("mnn_fp32", "web")
    with pytest.raises(SystemExit):
        cli.parse([*given, ""])
    assert "argument --formats: names nothing" in capsys.readouterr().err
