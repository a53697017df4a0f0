"""The files of a page but its model: which, and that those of a folder are just these."""

import base64
import hashlib
import json
import pathlib

from keras_ghostnet.export.web import litert

PAGE = pathlib.Path(__file__).with_name("page")
HTML, MODEL, DESCRIPTION = "index.html", "model.tflite", "model.json"


def write(folder, is_vendored):
    """Writes them into a folder."""
    for name, content in contents(is_vendored).items():
        (pathlib.Path(folder) / name).write_bytes(content)


def contents(is_vendored):
    """The bytes of each by its name.

    Args:
        is_vendored: Whether LiteRT.js is in the folder, or loaded from a CDN.
    """
    found = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.is_file()}
    html = found[HTML].decode()
    imports = json.dumps(_imports(is_vendored))
    found[HTML] = (
        html.replace("@CSP@", _policy(imports, is_vendored)).replace("@IMPORTS@", imports).encode()
    )
    return found


def runtime(is_vendored):
    """Addresses and hashes of the WebAssembly, as `classifier.js` reads them."""
    names = {"usual": "litert_wasm_internal", "compatible": "litert_wasm_compat_internal"}
    return {
        kind: {
            part: {
                "url": litert.url(litert.CORE, f"wasm/{name}.{suffix}", is_vendored),
                "integrity": litert.integrity(litert.CORE, f"wasm/{name}.{suffix}"),
            }
            for part, suffix in (("script", "js"), ("binary", "wasm"))
        }
        for kind, name in names.items()
    }


def require_own(folder):
    """Refuses a page with other files, or other contents, than an export writes.

    Raises:
        ValueError: If there is one; the message names it.
    """
    folder = pathlib.Path(folder)
    is_vendored = (folder / litert.VENDOR).is_dir()
    expected = {
        name: hashlib.sha384(content).digest() for name, content in contents(is_vendored).items()
    }
    if is_vendored:
        for (package, path), digest in litert.FILES.items():
            place = pathlib.PurePosixPath(litert.url(package, path, True)).as_posix()
            expected[place] = base64.b64decode(digest)
    found = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()
    }
    others = found.keys() ^ {*expected, MODEL, DESCRIPTION}
    changed = [
        name
        for name, digest in expected.items()
        if name in found and hashlib.sha384(found[name].read_bytes()).digest() != digest
    ]
    if others or changed:
        raise ValueError(
            f"{folder.name} is not the page of an export: {min([*others, *changed])} is missing, "
            "changed, or of somebody else."
        )


def _imports(is_vendored):
    modules = {
        package: litert.url(package, "dist/index.js", is_vendored)
        for package in (litert.CORE, litert.UTILS)
    }
    hashes = {url: litert.integrity(name, "dist/index.js") for name, url in modules.items()}
    return {"imports": modules, "integrity": hashes}


def _policy(imports, is_vendored):
    """The Content-Security-Policy: nothing is loaded from, or sent to, anywhere else."""
    own = hashlib.sha256(imports.encode()).digest()
    elsewhere = "" if is_vendored else f" {litert.CDN}/@litertjs/"
    scripts = f"'self' blob: 'wasm-unsafe-eval' 'sha256-{base64.b64encode(own).decode()}'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}{elsewhere}",
            f"connect-src 'self'{elsewhere}",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
