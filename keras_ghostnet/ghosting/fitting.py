"""The arithmetic of the warm start: arrays, channels last, and nothing of Keras' layers."""

import numpy as np

RIDGE = 1e-2  # of the mean power of what a kernel reads: how strongly it is held to what it was
CHEAP_RIDGE = 1e-6
ROUNDS = 3  # of fits to responses of which ReLU shows the positive ones alone
TINY = 1e-12


def patches(maps, places, kernel_size, *, strides=1, padding="same", dilation_rate=1):
    """What a kernel sees at some places of its output.

    Args:
        maps: `(n, height, width, channels)`.
        places: Image, row and column of each place, three integer arrays `(places,)`.
        kernel_size, strides, padding, dilation_rate: Of a convolution, as Keras'.

    Returns:
        `(places, kernel_size * kernel_size * channels)`, in the order of a kernel's values.
    """
    image, *corner = places
    sides = []
    extent = dilation_rate * (kernel_size - 1)
    for axis, place in enumerate(corner, start=1):
        size = maps.shape[axis]
        missing = (-(-size // strides) - 1) * strides + extent + 1 - size
        before = max(missing, 0) // 2 if padding == "same" else 0
        sides.append(place * strides - before)
    seen = []
    for i in range(kernel_size):
        for j in range(kernel_size):
            row, column = sides[0] + i * dilation_rate, sides[1] + j * dilation_rate
            inside = (row >= 0) & (row < maps.shape[1]) & (column >= 0) & (column < maps.shape[2])
            values = maps[image, row.clip(0, maps.shape[1] - 1), column.clip(0, maps.shape[2] - 1)]
            seen.append(values * inside[:, None])
    return np.stack(seen, axis=1).reshape(len(image), -1)


def refit(seen, wanted, kernel):
    """The kernel nearest to a given one that answers what is seen with what is wanted.

    Ridge regression of the responses, but for a constant, towards the given kernel.

    Args:
        seen: `(places, inputs)`.
        wanted: Responses, `(places, filters)`.
        kernel: `(inputs, filters)`.

    Returns:
        `(inputs, filters)`.
    """
    change, _ = _regress(seen, wanted - seen @ kernel, RIDGE)
    return kernel + change


def fit_cheap(seen, wanted, is_relu):
    """The kernel and the constant that make the responses of another filter from a map.

    Args:
        seen: Neighborhoods of the map, `(places, size)`.
        wanted: Responses before the activation, `(places,)`.
        is_relu: Whether the activation is ReLU: then responses below 0 are all the same.

    Returns:
        The kernel `(size,)` and the constant.
    """
    shown = wanted > 0
    if not is_relu or shown.sum() < 4 * seen.shape[1]:  # too few to fit anything to
        return _regress(seen, wanted, CHEAP_RIDGE)
    kernel, constant = _regress(seen[shown], wanted[shown], CHEAP_RIDGE)
    for _ in range(ROUNDS):
        reached = np.where(shown, wanted, np.minimum(seen @ kernel + constant, 0))
        kernel, constant = _regress(seen, reached, CHEAP_RIDGE)
    return kernel, constant


def losses(neighborhoods, wanted):
    """What each filter's responses lose if the best cheap kernel on each map makes them.

    Args:
        neighborhoods: For each map: `(places, size)`.
        wanted: Responses after the activation, `(places, filters)`.

    Returns:
        `(maps, filters)`: the mean squares of what is missing.
    """
    rows = []
    for seen in neighborhoods:
        kernels, constants = _regress(seen, wanted, CHEAP_RIDGE)
        rows.append(np.square(wanted - seen @ kernels - constants).mean(axis=0))
    return np.stack(rows)


def assign(loss, intrinsic, ratio):
    """Chooses intrinsic filters, and the ghosts of each, the best pairs first.

    Args:
        loss: `(filters, filters)`: what is lost if the second is made from the first.
        intrinsic: How many are to be intrinsic.
        ratio: A filter has `ratio - 1` ghosts at most.

    Returns:
        A dictionary: the ghosts of every intrinsic filter, a list. All have `ratio - 1`, but
        for the last.
    """
    filters = len(loss)
    ghosts, taken = {}, set()
    for pair in np.argsort(loss, axis=None):
        source, ghost = divmod(int(pair), filters)
        if len(taken) == filters - intrinsic:
            break
        if source == ghost or ghost in ghosts or ghost in taken or source in taken:
            continue
        if len(ghosts.get(source, ())) < ratio - 1 and (
            source in ghosts or len(ghosts) < intrinsic
        ):
            ghosts.setdefault(source, []).append(ghost)
            taken.add(ghost)
    ghosts |= {each: [] for each in range(filters) if each not in taken and each not in ghosts}
    *others, last = sorted(ghosts, key=lambda source: -len(ghosts[source]))
    for source in others:
        while len(ghosts[source]) < ratio - 1:
            ghosts[source].append(ghosts[last].pop())
    return {source: ghosts[source] for source in (*others, last)}


def _regress(seen, wanted, ridge):
    """Ridge regression: weights, and a constant that is not held to 0."""
    means = seen.mean(axis=0), wanted.mean(axis=0)
    seen, wanted = seen - means[0], wanted - means[1]
    places, size = seen.shape
    held = ridge * np.square(seen).mean() + TINY
    if places < size:  # the same weights, by a smaller system
        power = seen @ seen.T / places + held * np.eye(places)
        weights = seen.T @ np.linalg.solve(power, wanted.astype("float64")) / places
    else:
        power = seen.T @ seen / places + held * np.eye(size)
        weights = np.linalg.solve(power, (seen.T @ wanted / places).astype("float64"))
    return weights, means[1] - means[0] @ weights
