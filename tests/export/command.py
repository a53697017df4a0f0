"""The `ghostnet` command within the tests' own process."""

from keras_ghostnet import cli

FORMATS = ("saved_model", "tflite_fp32", "tflite_int8")
FP32, INT8 = "small_fp32.tflite", "small_int8.tflite"


def ghostnet(*arguments):
    """Runs the command in this process; returns its exit code."""
    return cli.main(cli.parse(["ghostnet", *map(str, arguments)]))


def export(run_dir, out, *arguments, names="tflite_fp32"):
    return ghostnet("export", run_dir, "--formats", names, "--out", out, *arguments)
