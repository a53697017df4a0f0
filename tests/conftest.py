"""How the tests run: the kernels, the order, and which are fast."""

import collections
import functools
import gc
import os
import pathlib
import runpy

import pytest

from tests.thorough import THOROUGH

TESTS = pathlib.Path(__file__).parent

# The kernels that the `ghostnet` command takes; set before TensorFlow is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Files and folders whose tests train, convert or build networks one after another. Single tests of
# other files are marked `slow`.
SLOW = [
    "benchmark/arm",
    "benchmark/comparison",
    "benchmark/networks",
    "benchmark/test_latency.py",
    "benchmark/test_profiling.py",
    "benchmark/test_quickstart.py",
    "benchmark/test_scaling.py",
    "export",
    "hub/test_push.py",
    "ghosting",
    "layers/test_serialization.py",
    "test_api.py",
    "test_backends.py",
    "test_cifar_models.py",
    "test_command.py",
    "test_counting.py",
    "test_documents.py",
    "test_features.py",
    "test_finetuning.py",
    "test_golden.py",
    "test_image_size.py",
    "test_model_file.py",
    "test_model_file_mutations.py",
    "test_model_file_sizes.py",
    "test_models.py",
    "test_timm.py",
    "test_wheel.py",
    "training/test_bad_examples.py",
    "training/test_checkpoints.py",
    "training/test_cifar.py",
    "training/test_class_weights.py",
    "training/test_classifiers.py",
    "training/test_digits.py",
    "training/test_distribution.py",
    "training/test_evaluation.py",
    "training/test_fit_under_strategy.py",
    "training/test_images.py",
    "training/test_label_maps.py",
    "training/test_loop.py",
    "training/test_networks.py",
    "training/test_pipeline.py",
    "training/test_progress.py",
    "training/test_recipe_runs.py",
    "training/test_records.py",
    "training/test_run.py",
    "training/test_segmentation.py",
    "training/test_workers.py",
    "weights/test_conversion.py",
    "weights/test_folding.py",
    "weights/test_hostile_pickles.py",
    "weights/test_keras3.py",
    "weights/test_names.py",
    "weights/test_torch_tensors.py",
    "weights/test_transfer.py",
]
# No fast test takes a third of it on an idle machine; processor time, so that load matters little.
FAST_SECONDS = 12


PROCESSOR_TIME = pytest.StashKey[float]()


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="leave out the slow tests")


def pytest_configure():
    missing = [name for name in SLOW if not (TESTS / name).exists()]
    if missing:
        raise pytest.UsageError(f"tests/conftest.py: SLOW names what is not there: {missing}")


@functools.cache
def in_slow_file(path):
    return any(path.is_relative_to(TESTS / name) for name in SLOW)


def pytest_ignore_collect(collection_path, config):
    """Slow files are not even imported for the fast tests."""
    return True if config.option.fast and in_slow_file(collection_path) else None


def pytest_itemcollected(item):
    file, _, name = item.nodeid.removeprefix("tests/").partition("::")
    if any(
        start in name if start[:1] == "[" else name.startswith(start)
        for start in THOROUGH.get(file, ())
    ):
        item.add_marker("thorough")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """TensorFlow announces itself when the tests' files import it."""
    # By its path: of its package, it would import TensorFlow first.
    quiet = runpy.run_path(str(TESTS.parent / "keras_ghostnet" / "quiet.py"))["quiet"]
    with quiet(unless=()):
        return (yield)


@pytest.hookimpl(trylast=True)  # after pytest has put tests with a fixture in common together
def pytest_collection_modifyitems(config, items):
    """Fast tests run first: most mistakes are found within the first minutes."""
    slow, fast = [], []
    for item in items:
        marked = item.get_closest_marker("slow") or in_slow_file(item.path)
        (slow if marked else fast).append(item)
    if config.option.fast:
        config.hook.pytest_deselected(items=slow)
        slow = []
    items[:] = fast + slow


def pytest_collection_finish(session):
    """Keeps the garbage collector from walking the imported libraries again and again."""
    session.config.stash[PROCESSOR_TIME] = processor_seconds()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="module")
def short_networks():
    """Constructors build short networks in the tests of a module."""
    from tests.short_networks import short_networks

    with short_networks():
        yield


@pytest.fixture(scope="module")
def plain_graphs():
    """Graphs run as they were traced: Grappler takes longer over one than to run it once.

    What it makes of them runs in modules without this (models, weights, the hub, benchmarks), in
    sessions that serve SavedModels, and in processes of their own: workers, and the commands of
    `tests/training/test_run.py`.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def processor_seconds():
    """Processor time of this process and of the processes that it waited for."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    start = processor_seconds()
    result = yield
    seconds = processor_seconds() - start
    if item.config.option.fast and seconds > FAST_SECONDS:
        pytest.fail(
            f"took {seconds:.0f} s of processor time. Fast tests take at most {FAST_SECONDS} s: "
            "make it faster, or mark it with @pytest.mark.slow",
            pytrace=False,
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Notes the processor time since the report before, fixtures included."""
    report, now = (yield), processor_seconds()
    report.processor_time = now - item.config.stash[PROCESSOR_TIME]
    item.config.stash[PROCESSOR_TIME] = now
    return report


def pytest_terminal_summary(terminalreporter):
    """Tells the processor time of the tests, which load and `-n` change little, and of which."""
    seconds = collections.Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if hasattr(report, "processor_time"):
            seconds[report.nodeid.partition("::")[0]] += report.processor_time
    most = ", ".join(f"{file} {time:.0f} s" for file, time in seconds.most_common(5))
    terminalreporter.write_line(f"{seconds.total():.0f} s of processor time; most: {most}")
