"""Which of a pickled object's dictionaries holds the network, and under which names."""

from keras_ghostnet.weights.readers.checkpoint import refusal, shown

# Where training programs put the network, the first that holds tensors wins. The moving average
# comes first, as in timm: it is the network whose accuracy is reported.
NESTS = (
    "state_dict_ema",
    "model_ema",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
)

_MAX_NESTING = 4
_ADVICE = "Save the network's state_dict: a dictionary of names and tensors."


def network_state(root, tensor_type):
    """Finds the network's tensors in what a pickle held.

    Args:
        root: The unpickled object.
        tensor_type: The class that stands for a tensor.

    Returns:
        `{name: tensor}`. Entries that are no tensors (an epoch, a version) are left out.

    Raises:
        CheckpointError: If there is no such dictionary, or tensors would be left behind in it.
    """
    for _ in range(_MAX_NESTING):
        if not isinstance(root, dict):
            found = "a single tensor" if isinstance(root, tensor_type) else type(root).__name__
            raise refusal(f"{found}, pickled", "a dictionary of names and tensors", _ADVICE)
        nested = _nested(root)
        if not nested:
            return _named_tensors(root, tensor_type)
        visits = set(), set()  # shared by all nests, so that none is searched twice
        filled = (entry for entry in nested if _leads_to_tensors(entry, tensor_type, *visits))
        root = next(filled, nested[0])
    raise refusal(f"more than {_MAX_NESTING} dictionaries in each other", "a state_dict", _ADVICE)


def _nested(entries):
    return [entries[key] for key in NESTS if isinstance(entries.get(key), dict)]


def _leads_to_tensors(entries, tensor_type, nests, searched, depth=_MAX_NESTING):
    """Tells whether a nest has tensors, or just notes such as a moving average's decay."""
    if not depth or id(entries) in nests:
        return False
    nests.add(id(entries))
    return any(
        isinstance(value, tensor_type) or _holds(value, tensor_type, searched)
        for value in entries.values()
    ) or any(
        _leads_to_tensors(e, tensor_type, nests, searched, depth - 1) for e in _nested(entries)
    )


def _named_tensors(entries, tensor_type):
    tensors, searched = {}, set()
    for key, value in entries.items():
        if isinstance(value, tensor_type):
            if not isinstance(key, str):
                raise refusal(f"a tensor under the key {shown(key)}", "names as keys", _ADVICE)
            tensors[key] = value
        elif _holds(value, tensor_type, searched):
            raise refusal(
                f"tensors inside the entry {shown(key)}",
                f"the network itself or one of the entries {', '.join(NESTS)}",
                _ADVICE,
            )
    return tensors


def _holds(container, tensor_type, searched):
    """Tells whether `container` holds tensors; searches none twice, however often it occurs."""
    if not isinstance(container, (dict, list, tuple)) or id(container) in searched:
        return False
    searched.add(id(container))
    values = container.values() if isinstance(container, dict) else container
    return any(isinstance(value, tensor_type) for value in values)
