"""The client of the Hugging Face hub: asked again where that helps, its errors explained."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

PREFIX = "hf://"
ATTEMPTS = 3  # of a question to the hub
LOGIN = "log in with `hf auth login`, or set HF_TOKEN"
_RETRIED = (408, 429, 500, 502, 503, 504)


class HubError(OSError):
    """The hub refuses."""


class UnreachableError(HubError):
    """The hub cannot be reached, or is overloaded."""


def client() -> Any:
    """The hub's client.

    Raises:
        ImportError: If it is not installed; says how to install it.
    """
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise ImportError(
            "Models of the Hugging Face hub need huggingface_hub, which is not installed. Install "
            'with: pip install "keras_ghostnet[hub]"'
        ) from error
    return huggingface_hub.HfApi(library_name="keras_ghostnet")


def ask(question: Callable[[], Any], name: str, revision: str | None = None) -> Any:
    """Asks the hub, again if it is overloaded or does not answer.

    Args:
        question: Function without arguments that uses the hub's client.
        name: `"ORG/NAME"`.
        revision: What was asked for, for messages.

    Raises:
        ValueError: If there is no such model or revision.
        HubError: If the hub refuses it, or does not answer.
    """
    for attempt in range(ATTEMPTS):
        try:
            with _explained(name, revision):
                return question()
        except UnreachableError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(2.0**attempt)
    return None


@contextlib.contextmanager
def _explained(name: str, revision: str | None) -> Iterator[None]:
    """Turns what the hub's client raises into an error that says what to do."""
    from huggingface_hub import constants, errors

    where = f"{PREFIX}{name}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(
            f"{where} is given to those alone whom its owner admits. Ask for access at "
            f"{constants.ENDPOINT}/{name}, then {LOGIN}."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ValueError(
            f"{where} has no revision {revision!r}. Name a branch, tag or commit of it, or none."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"There is no model {name} at {constants.ENDPOINT}, or it is private. Check the name; "
            f"for a private one, {LOGIN}."
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise _unreachable(where, error.__cause__ or error, constants) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in _RETRIED:
            raise _unreachable(where, f"status {status}", constants) from error
        told = " ".join((error.server_message or "").split())[:200]
        advice = {
            401: f"The token is not valid: {LOGIN}.",
            403: f"The token has no right to it: {LOGIN} with one that may write to "
            f"{name.partition('/')[0]}.",
        }
        raise HubError(
            f"{where}: {constants.ENDPOINT} answered {status}{f' ({told})' if told else ''}. "
            + advice.get(status, "Try again later.")
        ) from error
    except (ValueError, HubError):
        raise
    except OSError as error:
        if error.errno is not None and error.filename is not None:  # of the cache
            raise OSError(
                f"{where} cannot be kept in {constants.HF_HUB_CACHE} ({error.strerror}). HF_HOME "
                "can name another folder."
            ) from error
        raise _unreachable(where, error, constants) from error
    except Exception as error:  # what the client's own library of HTTP raises
        raise _unreachable(where, error, constants) from error


def _unreachable(where, reason, constants):
    told = " ".join(str(reason).split())[:200] or type(reason).__name__
    return UnreachableError(
        f"{where}: {constants.ENDPOINT} cannot be reached ({told}). Check the network and try "
        "again."
    )
