"""LiteRT.js (`@litertjs/core`): which files of it a page loads, from where, and their hashes."""

import base64
import hashlib
import pathlib
import tarfile

VERSION = "2.5.3"
CDN = "https://cdn.jsdelivr.net/npm"
VENDOR = "vendor"  # the folder in an artifact with copies of the files
CORE, UTILS = "@litertjs/core", "@litertjs/wasm-utils"
# By package and path, SHA-384 as `integrity` attributes have it. Without "compat" the WebAssembly
# takes relaxed SIMD, which all current browsers have.
FILES = {
    (CORE, "dist/index.js"): "MapSVJ/DPwvaWpp7q+Bid9O3uY1oB0KOU1QRMP+Mm5zdz5oMme/BUyX6dVAMWnPg",
    (UTILS, "dist/index.js"): "HIPwlWsctS5BRqrnvJKDVJ8SvqKB0QmiImdr6+hpP7+8UqeMJX/qrBkdfKQV2WZ/",
    (CORE, "wasm/litert_wasm_internal.js"):
        "NB/Wc4iozynQO5jzJ2VFoMKbqMvwwFGWxJL/o63IJT6W2JfZbsSLxA2cF6H/mLpQ",
    (CORE, "wasm/litert_wasm_internal.wasm"):
        "AZ/Ak4CbDpjqpSr8WsnoL3Dcx6bDFA/k9b/jahok1TGHZ2OqIRjLBMiEmiNedhlC",
    (CORE, "wasm/litert_wasm_compat_internal.js"):
        "oh4nb8zDq6eVOpGeZE5gwDOJ16QujHLL8k/HEXt3XiPxr+8zn3YnkXP8P3BlJET1",
    (CORE, "wasm/litert_wasm_compat_internal.wasm"):
        "glAZ6WjS7tLRt89pbTPXvLC1c7DCaVSfL2ngn5gZJiUuPs76fWYJy7ZeFaD0PJXx",
}  # fmt: skip
LARGEST = 16 << 20  # bytes of one of them


def url(package, path, is_vendored):
    """Where a page finds a file: beside itself, or at a CDN."""
    name = f"{package}@{VERSION}/{path}"
    return f"./{VENDOR}/{name}" if is_vendored else f"{CDN}/{name}"


def integrity(package, path):
    """What browsers compare a file with."""
    return f"sha384-{FILES[package, path]}"


def read_files(source):
    """The files' contents, a dictionary from package and path to bytes.

    Args:
        source: A folder with the two packages as npm leaves them: `node_modules`, or what is in
            it, or the tarballs of `npm pack @litertjs/core@VERSION @litertjs/wasm-utils@VERSION`.

    Raises:
        FileNotFoundError: If a file is not there; the message says how to get it.
        ValueError: If a file is not the published one of this version.
    """
    source, files = pathlib.Path(source), {}
    for (package, path), expected in FILES.items():
        content = _find(source, package, path)
        if content is None:
            raise FileNotFoundError(
                f"{source} has no {package}@{VERSION} ({path}). Get both packages there with: "
                f"npm pack {CORE}@{VERSION} {UTILS}@{VERSION}"
            )
        found = base64.b64encode(hashlib.sha384(content).digest()).decode()
        if found != expected:
            raise ValueError(
                f"{path} of {package} in {source} is not that of version {VERSION}: its SHA-384 is "
                f"{found[:12]}..., expected {expected[:12]}.... Get it with: npm pack "
                f"{package}@{VERSION}"
            )
        files[package, path] = content
    return files


def vendor(source, folder):
    """Copies the files into an artifact.

    Args:
        source: As `read_files`, which raises what this raises.
        folder: The artifact.
    """
    for (package, path), content in read_files(source).items():
        target = pathlib.Path(folder) / url(package, path, True)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _find(source, package, path):
    """The bytes of a package's file, or None."""
    for base in (source / package, source / "node_modules" / package):
        if (base / path).is_file() and (base / path).stat().st_size <= LARGEST:
            return (base / path).read_bytes()
    tarball = source / f"{package.removeprefix('@').replace('/', '-')}-{VERSION}.tgz"
    if not tarball.is_file():
        return None
    try:
        with tarfile.open(tarball) as archive:
            member = archive.getmember(f"package/{path}")
            if not member.isfile() or member.size > LARGEST:
                return None
            return archive.extractfile(member).read(LARGEST)  # type: ignore[union-attr]
    except (KeyError, tarfile.TarError, EOFError, OSError):
        return None
