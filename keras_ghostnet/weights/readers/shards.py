"""Checkpoints in several files: which files belong together, by their index or their numbers.

An index is a JSON file with a `weight_map` from tensors to files: `NAME.safetensors.index.json`
and `pytorch_model.bin.index.json` of Hugging Face, `NAME.weights.json` of Keras. Without one, the
numbers in `NAME-00001-of-00003.SUFFIX` say which files there are.
"""

import dataclasses
import json
import pathlib
import re

from keras_ghostnet.weights.readers import safetensors_file
from keras_ghostnet.weights.readers.checkpoint import refusal, shown

_KERAS_INDEX = ".weights.json"
_INDICES = (".index.json", _KERAS_INDEX)

_NUMBERED = re.compile(r"(?P<stem>.+-)(?P<number>\d{1,6})-of-(?P<count>\d{1,6})(?P<suffix>\..+)")
_PLAIN_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\0:]+")
_HEAD = 64  # bytes by which JSON is recognized
_MAX_INDEX = 64 * 2**20  # bytes; an index of a hundred thousand tensors takes 10 MB
_MAX_SHARDS = 1000
_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Shards:
    """The files of one checkpoint.

    Attributes:
        files: Their paths, sorted.
        index: Path of the index; None without one.
        weight_map: The index's `{tensor: file name}` (Keras: `{layer: name or names}`); empty
            without one.
    """

    files: tuple[str, ...]
    index: str | None = None
    weight_map: dict = dataclasses.field(default_factory=dict)

    @property
    def tensors(self) -> list[str]:
        """Names of the tensors that the index announces; Keras' lists layers instead."""
        return [] if (self.index or "").endswith(_KERAS_INDEX) else list(self.weight_map)


def find_shards(path: str) -> Shards | None:
    """Finds the files that make up a checkpoint together with the one that was named.

    Args:
        path: An index, or any of the files that one beside it lists, or a numbered file.

    Returns:
        The `Shards`, all of which are there; None if the file is a checkpoint of its own.

    Raises:
        CheckpointError: If a file is missing, or an index that was named is none or lists files
            of other folders.
    """
    file = pathlib.Path(path)
    with open(path, "rb") as opened:
        head = opened.read(_HEAD)
    # The length at the beginning of a safetensors file may look like a brace.
    if head.lstrip().startswith(b"{") and not safetensors_file.is_safetensors(head):
        return _listed(file, _weight_map(file))
    for index in sorted(file.parent.glob("*.json")):
        if index.name.endswith(_INDICES) and file.name in _names(index):
            return _listed(index, _weight_map(index))
    return _numbered(file)


def _weight_map(index):
    """The `weight_map` of an index."""
    if index.stat().st_size > _MAX_INDEX:
        raise refusal("a JSON file of more than 64 MB", "a checkpoint or its index")
    try:
        content = json.loads(index.read_bytes())
    except (ValueError, RecursionError) as error:
        raise refusal(f"damaged JSON ({shown(str(error))})", "an index of shards") from error
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise refusal(
            "a JSON file without a weight_map",
            "a checkpoint, or the index of one in several files",
            "Give the file that holds the weights.",
        )
    return weight_map


def _names(index):
    """Names of the files that an index beside a file lists; none if it is unusable."""
    try:
        return set(_flat(_weight_map(index)))
    except (ValueError, OSError):
        return set()


def _flat(weight_map):
    """All entries of a weight map's values, which are names or lists of names."""
    for value in weight_map.values():
        yield from value if isinstance(value, list) else [value]


def _listed(index, weight_map):
    return Shards(_present(index, _require_names(weight_map)), str(index), weight_map)


def read_names(index: pathlib.Path) -> list[str]:
    """Names of the files that an index lists, sorted.

    Raises:
        CheckpointError: If it is none, or lists files of other folders.
    """
    return _require_names(_weight_map(index))


def _require_names(weight_map):
    names = list(_flat(weight_map))
    for name in names:
        # Only what lies beside the index: it may come from anywhere and name any file.
        if (
            not isinstance(name, str)
            or not re.fullmatch(r"[^/\\\0:]+", name)
            or name in (".", "..")
        ):
            raise refusal(
                f"the file {shown(name)} in an index",
                "names of files beside it",
                "The index was not written by Hugging Face's libraries or Keras: do not use it.",
            )
    return sorted(set(names))


def _numbered(file):
    match = _NUMBERED.fullmatch(file.name)
    if match is None or not 1 <= int(match["number"]) <= int(match["count"]) <= _MAX_SHARDS:
        return None
    width = len(match["number"])
    names = [
        f"{match['stem']}{number:0{width}}-of-{match['count']}{match['suffix']}"
        for number in range(1, int(match["count"]) + 1)
    ]
    return Shards(_present(file, names))


def _present(file, names):
    """Paths of files beside another one, all of which are there."""
    missing = [name for name in names if not (file.parent / name).is_file()]
    if missing:
        raise refusal(
            f"a checkpoint of {len(names)} files of which {len(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not there: "
            f"{', '.join(shown(name) for name in missing[:_SHOWN])}",
            f"all of them in {file.parent}",
            "Download the missing ones into that folder.",
        )
    return tuple(str(file.parent / name) for name in names)
