"""A model of one's own, uploaded to the Hugging Face hub in one commit."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import tempfile
from typing import Any

from keras_ghostnet import extras, stores
from keras_ghostnet.defaults import keras_defaults
from keras_ghostnet.hub import contents
from keras_ghostnet.model_reference import BEST, CONFIG, RUN_MARKS, WHOLE, resolve_model
from keras_ghostnet.training.run_folder import CURVE
from keras_ghostnet.weights import hub
from keras_ghostnet.weights.hub_client import LOGIN, PREFIX, HubError, ask, client

MARK = "uploaded by `ghostnet push`"  # in the model cards that it wrote


@dataclasses.dataclass(frozen=True)
class PushResult:
    """What was uploaded, or would be.

    Attributes:
        repository: `"ORG/NAME"`.
        files: The files' sizes in bytes by their names in the repository.
        notes: What there is to know of them, lines of text.
        url: Of the commit; None if nothing was uploaded.
        commit: Its hash; None if nothing was uploaded.
    """

    repository: str
    files: dict[str, int]
    notes: tuple[str, ...]
    url: str | None = None
    commit: str | None = None


@keras_defaults()
def push(
    model: str | os.PathLike[str],
    repository: str,
    *,
    artifacts: str | os.PathLike[str] | None = None,
    license: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    trust_model: bool = False,
) -> PushResult:
    """Uploads a model to the Hugging Face hub, with all that belongs to it, in one commit.

    The model as a `.keras` file, its weights as safetensors in timm's names, a `config.json` as
    timm writes it (size, crop, normalization, classes), a run's metrics, verified artifacts with
    their sidecars, and a model card. It is there whole or not at all. A card that somebody else
    wrote stays as it is; other files of these names are replaced.

    Args:
        model: A run's folder (its best model) or a `.keras` file, here or in a store.
        repository: `"hf://ORG/NAME"`; it is made if there is none.
        artifacts: The folder that `keras_ghostnet.export.export` wrote to, here or in a store; None
            takes `exports` in the run's folder, if there are any.
        license: Of the model, for its card, such as `"apache-2.0"`; None says nothing.
        private: Whether a new repository is to be private.
        dry_run: Whether to say what would be uploaded, and upload nothing; needs no account.
        trust_model: As `keras_ghostnet.model_file.load_model`.

    Returns:
        A `PushResult`.

    Raises:
        FileNotFoundError: If there is no such model, or no artifacts in a folder that was named.
        ImportError: If `huggingface_hub` or Jinja is not installed.
        OSError: If the hub refuses it (no token, no right), or cannot be reached.
        ValueError: If the model is no classifier, artifacts are not its own or were changed, or
            `repository` names none.
    """
    name, revision = hub.split(repository)
    if revision is not None:
        raise ValueError(f"Models are pushed to the main branch. Leave @{revision} out.")
    extras.require("huggingface_hub", "jinja2", purpose="ghostnet push", extra="hub")
    if stores.is_remote(model):
        model, artifacts = _fetch(os.fspath(model), artifacts)
    elif artifacts is not None:
        artifacts = stores.local(artifacts)
    reference = resolve_model(model, trust_model)
    contents.require_pushable(reference)
    existing = None
    if not dry_run:
        _require_token(name)
        existing = _existing(name)
        if private and existing is not None and not existing.private:
            raise ValueError(
                f"{PREFIX}{name} exists and is public: --private is for new ones. Make it private "
                "in its settings first, or choose another name."
            )
    with tempfile.TemporaryDirectory() as folder:
        found = contents.collect(reference, pathlib.Path(folder), name, artifacts, license)
        if existing is not None and not _is_card_ours(name, existing):
            del found.paths[contents.CARD]
            found.notes.append(f"{contents.CARD} of {PREFIX}{name} stays as it is.")
        sizes = {file: path.stat().st_size for file, path in found.paths.items()}
        result = PushResult(name, sizes, tuple(found.notes))
        if dry_run:
            return result
        commit = _upload(name, found.paths, private)
    return dataclasses.replace(result, url=commit.commit_url, commit=commit.oid)


def _fetch(url, artifacts):
    """Takes a model from a store, with what goes along of its run.

    Returns:
        The local paths of the model's file and of the artifacts' folder; None if there is none.
    """
    if url.endswith(WHOLE):
        run, _, name = url.rpartition("/")
    else:
        run, name = url, BEST
    model = stores.fetch(stores.join(run, name), (CONFIG, *RUN_MARKS, CURVE))
    if artifacts is not None:
        return model, stores.local(artifacts)
    with contextlib.suppress(FileNotFoundError):
        artifacts = stores.fetch(stores.join(run, contents.EXPORTS))
    return model, artifacts


def _require_token(name):
    """Refuses before long work whoever may not write at all."""
    import huggingface_hub

    if huggingface_hub.get_token() is None:
        raise HubError(f"To push to {PREFIX}{name}, {LOGIN} with a token that may write.")
    who = ask(client().whoami, name)
    role = ((who.get("auth") or {}).get("accessToken") or {}).get("role")
    if role == "read":
        raise HubError(f"The token may only read. To push to {PREFIX}{name}, {LOGIN} with another.")


def _existing(name) -> Any:
    """What the hub says of a repository; None if there is none."""
    try:
        return ask(functools.partial(client().model_info, name), name)
    except ValueError:
        return None


def _is_card_ours(name, existing):
    """Whether a repository has no model card, or one that this wrote."""
    if contents.CARD not in [sibling.rfilename for sibling in existing.siblings or ()]:
        return True
    get = functools.partial(client().hf_hub_download, name, contents.CARD, revision=existing.sha)
    return MARK in pathlib.Path(ask(get, name)).read_text("utf-8", "replace")


def _upload(name, paths, private):
    import huggingface_hub

    operations = [
        huggingface_hub.CommitOperationAdd(file, str(path)) for file, path in paths.items()
    ]
    create = functools.partial(client().create_repo, name, private=private or None, exist_ok=True)
    ask(create, name)
    commit = functools.partial(
        client().create_commit, name, operations, commit_message="Upload by ghostnet push"
    )
    try:
        return ask(commit, name)
    except (HubError, ValueError) as error:
        kind = HubError if isinstance(error, OSError) else ValueError
        raise kind(
            f"{error} Nothing in {PREFIX}{name} was changed. The same command tries again, and "
            "sends no large file twice."
        ) from error
