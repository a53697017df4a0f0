"""Models of the Hugging Face hub: `hf://ORG/NAME` as a commit, and its files in the hub's cache.

A repository may be anybody's: its listing is asked for first, files are taken by plain names, sizes
are limited before a download, and hashes are compared after it.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import re
from typing import TypeGuard

from keras_ghostnet.weights import downloads
from keras_ghostnet.weights.hub_client import PREFIX, HubError, UnreachableError, ask, client
from keras_ghostnet.weights.hub_config import Published, parse_config

CONFIG = "config.json"
MAX_CONFIG = 8 * 2**20  # bytes; the names of ImageNet-21k's classes take 2 MB
TIMEOUT = 30  # seconds without an answer
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REFERENCE = re.compile(rf"hf://({_NAME}/{_NAME})(?:@([A-Za-z0-9][A-Za-z0-9._/-]{{0,199}}))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SHARD = re.compile(r".*-\d+-of-\d+\..+")
INDEX = ".index.json"  # behind the name that weights in several files would have in one
MAX_INDEX = 64 * 2**20  # bytes
# What is taken, best first; pickles, which are read without being run, come last.
SUFFIXES = (
    ".safetensors", ".keras", ".weights.h5", ".h5", ".bin", ".pth", ".pth.tar", ".pt", ".pdparams",
)  # fmt: skip
USUAL = ("model", "pytorch_model")  # where a repository has several files of a kind


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file of a repository, as the hub lists it.

    Attributes:
        bytes: Its size; None if the hub does not say.
        hash: `"sha256:..."`, or `"git:..."` of a small file.
    """

    bytes: int | None
    hash: str | None


@dataclasses.dataclass(frozen=True)
class Repository:
    """One commit of a model's repository.

    Attributes:
        id: `"ORG/NAME"`.
        asked: The branch, tag or commit that was asked for.
        commit: 40 hexadecimal digits.
        files: The files at its top by name; None without the hub, from whose cache it is.
        published: What its `config.json` says; None without one.
    """

    id: str
    asked: str
    commit: str
    files: dict[str, Entry] | None
    published: Published | None = None

    @property
    def text(self) -> str:
        """What names this very commit."""
        return f"{PREFIX}{self.id}@{self.commit}"

    def find_file(self, suffixes: tuple[str, ...] = SUFFIXES) -> str | None:
        """The name of the file with its weights, or of the index of several; None without one.

        Args:
            suffixes: Of which the first that there is a file of is taken.

        Raises:
            ValueError: If there are several of a kind and none has a usual name.
        """
        for suffix in (each + index for each in suffixes for index in ("", INDEX)):
            found = [name for name in self._names() if name.endswith(suffix)]
            usual = [f"{stem}{suffix}" for stem in USUAL if f"{stem}{suffix}" in found]
            if len(found) > 1 and not usual:
                raise ValueError(
                    f"{self.text} holds {len(found)} files of weights: {', '.join(found[:5])}. "
                    "Download the one that you mean and give its path."
                )
            if found:
                return (usual or found)[0]
        return None

    def require_file(self) -> str:
        """The name of the file with its weights, or of the index of several.

        Raises:
            ValueError: If there is none, or as `find_file`.
        """
        name = self.find_file()
        if name is None:
            raise ValueError(
                f"{self.text} holds no weights that can be read: "
                f"{', '.join(self._names()[:8]) or 'no files'}. Expected a file that ends in "
                f"{', '.join(SUFFIXES)}."
            )
        return name

    def weights(self) -> pathlib.Path:
        """Downloads the file with its weights, or finds it in the cache.

        Returns:
            Its path in the hub's cache; of several files that of their index, beside them.

        Raises:
            ValueError: As `require_file` and `download`; or if an index cannot be used.
            OSError: As `download`.
        """
        name = self.require_file()
        if not name.endswith(INDEX):
            return self.download(name)
        index = self.download(name, MAX_INDEX)
        for shard in self._shards(name, index):
            self.download(shard)
        return index

    def _shards(self, name, index):
        """The names of the files that an index lists, all of which are there."""
        from keras_ghostnet.weights.readers import shards

        try:
            names = shards.read_names(index)
        except ValueError as error:
            raise ValueError(f"{self.text}: {name}: {error}") from error
        if self.files is None:
            return names
        if missing := [each for each in names if each not in self.files]:
            raise ValueError(f"{self.text}: {name} lists {missing[0]}, which is not there.")
        total = sum(self.files[each].bytes or 0 for each in names)
        if total > downloads.MAX_BYTES:
            raise ValueError(
                f"{self.text}: the files of {name} have {total:,} bytes, where at most "
                f"{downloads.MAX_BYTES:,} are expected. They were not downloaded."
            )
        return names

    def download(self, name: str, max_bytes: int = downloads.MAX_BYTES) -> pathlib.Path:
        """Downloads a file of this commit, or finds it in the cache.

        Args:
            name: Of the listing.
            max_bytes: The largest that is taken.

        Returns:
            Its path in the hub's cache.

        Raises:
            HashError: If it is not the one that the hub lists.
            ValueError: If it is larger.
            OSError: If it cannot be downloaded or written.
        """
        entry = self.files[name] if self.files is not None else Entry(None, None)
        if (entry.bytes or 0) > max_bytes:
            raise ValueError(
                f"{self.text}: {name} has {entry.bytes:,} bytes, where at most {max_bytes:,} are "
                "expected. Nothing was downloaded."
            )
        get = functools.partial(
            client().hf_hub_download, self.id, name, local_files_only=self.files is None
        )
        for revision in dict.fromkeys((self.asked, self.commit)):  # the former is kept as a name
            path = pathlib.Path(ask(functools.partial(get, revision=revision), self.id, revision))
            if path.parent.name == self.commit:  # the branch has not moved meanwhile
                break
        _require_hash(path, entry, f"{self.text}: {name}")
        return path

    def _names(self):
        found = self.files
        if found is None:
            found = [path.name for path in _cached(self.id, self.commit).iterdir()]
        return [name for name in sorted(found) if not _SHARD.fullmatch(name)]


def is_reference(text: object) -> TypeGuard[str]:
    """Whether a text names a model of the hub: begins with `hf://`."""
    return isinstance(text, str) and text.startswith(PREFIX)


def split(text: str) -> tuple[str, str | None]:
    """`"ORG/NAME"` and the revision of a reference, None if it names none.

    Raises:
        ValueError: If it is not written as `hf://ORG/NAME` or `hf://ORG/NAME@REVISION`.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None or ".." in text or "--" in match[1]:
        raise ValueError(
            f"{text!r} names no model of the Hugging Face hub. Expected hf://ORG/NAME, or "
            "hf://ORG/NAME@REVISION with a branch, a tag or a commit."
        )
    return match[1], match[2]


def open_repository(text: str) -> Repository:
    """Finds a repository on the hub, or in the hub's cache if the hub cannot be reached.

    A branch or tag is resolved to its commit, which is printed. Of the files, `config.json` alone
    is downloaded.

    Args:
        text: `"hf://ORG/NAME"`, or with `"@REVISION"` at its end: a branch, tag or commit.

    Raises:
        ImportError: If `huggingface_hub` is not installed.
        ValueError: If there is no such model or revision, or its `config.json` is unusable.
        OSError: If the hub refuses it, or cannot be reached and the cache has no such model.
    """
    name, revision = split(text)
    asked = revision or "main"
    get = functools.partial(
        client().model_info, name, revision=asked, timeout=TIMEOUT, files_metadata=True
    )
    try:
        info = ask(get, name, asked)
        commit = info.sha
        files = {
            s.rfilename: _entry(s) for s in info.siblings or () if _FILE.fullmatch(s.rfilename)
        }
    except UnreachableError as error:
        folder = _cached(name, asked)
        if folder is None:
            raise UnreachableError(
                f"{error} It is not in the hub's cache either. A file that was downloaded "
                "elsewhere can be given by its path."
            ) from error
        commit, files = folder.name, None
    if not _COMMIT.fullmatch(str(commit)):
        raise HubError(f"{text}: the hub names no commit of it.")
    repository = Repository(name, asked, commit, files)
    if asked != commit:
        print(f"{text}: commit {commit}" + (", from the cache" if files is None else ""))
    if CONFIG not in repository._names():
        return repository
    path = repository.download(CONFIG, MAX_CONFIG)
    published = parse_config(path.read_bytes(), repository.text)
    return dataclasses.replace(repository, published=published)


def _cached(name, revision):
    """The folder of a commit in the hub's cache; None without one."""
    from huggingface_hub import try_to_load_from_cache

    usual = (stem + suffix for suffix in SUFFIXES for stem in USUAL)
    for file in (CONFIG, *(name + index for name in usual for index in ("", INDEX))):
        path = try_to_load_from_cache(name, file, revision=revision)
        if isinstance(path, str):
            return pathlib.Path(path).parent
    return None


def _entry(sibling):
    lfs = sibling.lfs
    if lfs is not None:
        return Entry(lfs.size, f"sha256:{lfs.sha256}")
    return Entry(sibling.size, sibling.blob_id and f"git:{sibling.blob_id}")


def _require_hash(path, entry, title):
    """Refuses, and removes from the cache, a file that is not the one that was listed."""
    if entry.hash is None:
        return
    kind, _, expected = entry.hash.partition(":")
    content = path.read_bytes()
    if kind == "git":  # a blob of Git: its length goes in front of it
        found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    else:
        found = hashlib.sha256(content).hexdigest()
    if found == expected:
        return
    for each in (os.path.realpath(path), path):
        with contextlib.suppress(OSError):
            os.unlink(each)
    raise downloads.HashError(
        f"{title} has not the hash that the hub lists: it is incomplete or was altered. Nothing "
        "was loaded; try again later."
    )
