"""What the stores' libraries raise, as one line that says what to do.

Their classes are recognized by name, so that none of them has to be imported or installed.
"""

import errno
from collections.abc import Iterator
from typing import Any

LONGEST = 200  # characters of what a store says itself
SETTINGS = {  # where the libraries look for credentials
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`",
}
SETTINGS["s3a"], SETTINGS["gcs"] = SETTINGS["s3"], SETTINGS["gs"]

NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError",
    "DefaultCredentialsError", "NoAuthTokenError",
}  # fmt: skip
EXPIRED = {
    "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired",
    "RefreshError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError",
}  # fmt: skip
INVALID = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "401",
    "AuthorizationHeaderMalformed", "InvalidClientTokenId",
}  # fmt: skip
SKEWED = {"RequestTimeTooSkewed"}
DENIED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "PermissionError", "403"}
FULL = {
    "507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "quotaExceeded",
    errno.ENOSPC, errno.EDQUOT,
}  # fmt: skip
READ_ONLY = {"MethodNotAllowed", "405", errno.EROFS}
NO_BUCKET = {"NoSuchBucket", "InvalidBucketName"}
REGION = {"PermanentRedirect", "301", "IllegalLocationConstraintException"}
CHANGED = {"PreconditionFailed", "412", "ConditionalRequestConflict", "FileExistsError"}
MISSING = {"NoSuchKey", "404", "FileNotFoundError"}
TEMPORARY = {  # asked again already, but it may help to do so later
    "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "500", "502", "503", "504",
    "429", "ProxyError", "TimeoutError", "FSTimeoutError", "EndpointConnectionError",
    "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "HTTPClientError",
    "IncompleteRead", "ClientPayloadError", "ClientConnectorError", "ServerDisconnectedError",
    "ClientOSError", "ConnectionError", "ConnectionResetError", "ConnectionRefusedError",
    "ResponseStreamingError", "IncompleteReadError", "ResponseParserError", "ChecksumError",
    "TransportError", "HTTPError", "ClientConnectionError", "ContentLengthError",
}  # fmt: skip


class StoreError(OSError):
    """A store refuses, or does not answer.

    Attributes:
        is_temporary: Whether it may answer later: it is overloaded, or cannot be reached.
        is_conflict: Whether an object has changed under a conditional write.
        is_denied: Whether the credentials have no right to it.
    """

    def __init__(
        self,
        text: str,
        *,
        is_temporary: bool = False,
        is_conflict: bool = False,
        is_denied: bool = False,
    ):
        super().__init__(text)
        self.is_temporary, self.is_conflict, self.is_denied = is_temporary, is_conflict, is_denied


def explain(error: BaseException, url: str, doing: str = "read") -> Exception:
    """The error to raise for what a store's library raised.

    Args:
        error: Anything that a method of fsspec's file systems raises or returns.
        url: What was asked for.
        doing: What could not be done: `"read"`, `"written"`, `"listed"`, `"removed"`.

    Returns:
        A `FileNotFoundError` if the object is not there, else a `StoreError`: then other objects
        of the store would fail as well.
    """
    from keras_ghostnet.files import printable

    if isinstance(error, StoreError):
        return error
    marks = set(_marks(error))
    scheme, _, rest = url.partition("://")
    bucket = rest.partition("/")[0]
    settings = SETTINGS.get(scheme, "the settings of its library")
    told = printable(" ".join(str(error).split()) or type(error).__name__, LONGEST)
    where = printable(url)
    denied = (
        f"the store denies it to these credentials ({told}). Ask the owner of {bucket} for the "
        f"permission, or give other credentials: {settings}."
    )
    texts: list[tuple[set[Any], str]] = [
        (NO_CREDENTIALS, f"there are no credentials. Give them by {settings}."),
        (EXPIRED, f"the credentials have expired ({told}). Renew them: {settings}."),
        (SKEWED, f"this machine's clock is wrong ({told}). Set it."),
        (INVALID, f"the credentials are not valid there ({told}). Check {settings}."),
        (NO_BUCKET, f"there is no bucket {printable(bucket)}. Check its name."),
        (REGION, f"the bucket is in another region ({told}). Name it by AWS_DEFAULT_REGION."),
        (FULL, f"the store is full ({told}). Free space there, or choose another place."),
        (READ_ONLY, f"the store does not allow it ({told}). Choose another place."),
        (CHANGED, "another process has changed it meanwhile."),
        (DENIED, denied),
    ]
    for kinds, text in texts:
        if marks & kinds:
            return StoreError(
                f"{where} cannot be {doing}: {text}",
                is_conflict=kinds is CHANGED,
                is_denied=kinds is DENIED,
            )
    if marks & MISSING:
        return FileNotFoundError(f"There is no {where}.")
    if marks & TEMPORARY or isinstance(error, TimeoutError | ConnectionError):
        return StoreError(
            f"{where} cannot be {doing}: the store does not answer as it should, though it was "
            f"asked several times ({told}). Check the network and its endpoint, or try again "
            "later.",
            is_temporary=True,
        )
    return StoreError(f"{where} cannot be {doing}: {told}")


def codes(error: BaseException) -> set[Any]:
    """The codes that a store answered with, such as `"AccessDenied"` and `"403"`."""
    return set(_marks(error))


def _marks(error: BaseException | None) -> Iterator[Any]:
    """Names of the classes and codes of an error and of those that caused it, the inner first."""
    depth = 0
    while error is not None and depth < 8:
        response = getattr(error, "response", None)
        if isinstance(response, dict):  # of botocore
            yield str(response.get("Error", {}).get("Code"))
            yield str(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
        if isinstance(error, OSError) and error.errno is not None:
            yield error.errno
        for name in ("code", "status"):  # of gcsfs and aiohttp
            if isinstance(getattr(error, name, None), int):
                yield str(getattr(error, name))
        if str(error).startswith("Forbidden: "):  # of gcsfs
            yield "403"
        for kind in type(error).__mro__:
            if kind not in (OSError, Exception, BaseException, object):
                yield kind.__name__
        error, depth = error.__cause__ or error.__context__, depth + 1
