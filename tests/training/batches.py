"""The batches of a pipeline as arrays, and how they are compared."""

import numpy as np

NAMES = ("image", "label", "weight", "index")


def collect(pipeline, epoch=0, **options):
    """All batches of an epoch, as dicts of arrays, stacked."""
    with pipeline.explained():
        batches = list(pipeline.batches(epoch, **options).as_numpy_iterator())
    return {name: np.stack([batch[name] for batch in batches]) for name in NAMES}


def assert_same(first, second):
    for name in NAMES:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def joined(parts):
    """The batches of all shards side by side: the global batches."""
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in NAMES}
