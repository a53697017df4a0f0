"""The aarch64 sysroot: Python from the host's own distribution; NumPy and runtimes as wheels.

`python -m keras_ghostnet.benchmark.arm.sysroot` builds it. Nothing is installed on the host, and no
rights are needed.
"""

import argparse
import importlib.metadata
import pathlib
import platform
import re
import sys
import tempfile

from keras_ghostnet import extras, files
from keras_ghostnet.benchmark.arm import emulate, tools

PACKAGES = ("python3", "libstdc++6")  # and what they depend on
WHEELS = {"mnn": "MNN", "ncnn": "ncnn"}  # of runtimes beside LiteRT

APT_CONFIG = """\
APT::Architecture "arm64";
#clear APT::Architectures;
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "";
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{state}";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
"""
SOURCES_CONFIG = """\
Dir::Etc::SourceList "{sources}";
Dir::Etc::SourceParts "/dev/null";
"""
SOURCES_HINT = (
    " The host's apt sources must have arm64. Where they have not (Ubuntu keeps it on a mirror of "
    "its own), write a list of sources that have, of the same release, and build the sysroot with: "
    "python -m keras_ghostnet.benchmark.arm.sysroot --sources FILE"
)


def cache():
    """The folder that sysroots and plugins are kept in."""
    return files.cache("arm")


def get_sysroot(sources=None):
    """The sysroot, which is built if there is none yet: about 100 MB of downloads.

    It is of the host's distribution and release, with LiteRT in the host's version.

    Args:
        sources: A file of apt sources with arm64; None for the host's own.

    Returns:
        The sysroot's folder, absolute.

    Raises:
        ImportError: If the host has no LiteRT.
        tools.ToolError: If a program is missing or fails.
    """
    version = _litert_version()
    root = cache() / f"sysroot-{_release()}-litert-{version}"
    if not root.exists():
        tools.require_programs("apt-get", "dpkg-deb", "qemu-aarch64")
        with files.replacing(root) as partial:
            _build(partial, version, sources)
    return root


def get_packages(path, root):
    """The wheels that an artifact needs beside NumPy and LiteRT, which are installed if need be.

    Args:
        path: The artifact, a `pathlib.Path`.
        root: The sysroot's folder.

    Returns:
        A list of folders: of the artifact's runtime in the host's version; none of a `.tflite`
        file.

    Raises:
        ImportError: If the host has no such runtime.
        tools.ToolError: If they cannot be downloaded.
    """
    runtime = path.suffix.lstrip(".")
    if runtime not in WHEELS:
        return []
    name = WHEELS[runtime]
    extras.require(name, purpose=f"{path.name} on ARM", extra=runtime)
    wheel = f"{name}=={importlib.metadata.version(name)}"
    folder = root / wheel
    if not folder.exists():
        with files.replacing(folder) as partial:
            _install_wheels(root, _glibc_of(root), partial, wheel)
    return [folder]


def _build(root, litert_version, sources):
    root.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        packages = _download(pathlib.Path(folder), sources)
        for package in packages:
            tools.run_program(["dpkg-deb", "-x", package, root], f"unpack {package.name}")
        glibc = _glibc_minor(packages)
    for name in ("bin", "lib"):  # links of a base package, where packages know only usr/
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    (root / "proc").mkdir()
    (root / "proc" / "cpuinfo").write_text(emulate.CPUINFO)
    _install_wheels(root, glibc, emulate.site(root), "numpy", f"ai-edge-litert=={litert_version}")
    _require_litert(root)


def _download(folder, sources):
    """Downloads the packages with an apt of its own: own state, host's sources and keys."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    config = folder / "apt.conf"
    text = APT_CONFIG.format(state=folder)
    if sources:
        text += SOURCES_CONFIG.format(sources=pathlib.Path(sources).resolve(strict=True))
    config.write_text(text)
    # Read last, after the host's configuration, unlike a file in APT_CONFIG.
    apt = ["apt-get", "-c", config, "-q", "-y"]
    tools.run_program([*apt, "update"], "read apt's lists of arm64 packages", SOURCES_HINT)
    tools.run_program(
        [*apt, "--no-install-recommends", "--download-only", "install", *PACKAGES],
        "download arm64 packages",
        SOURCES_HINT,
    )
    return sorted((folder / "archives").glob("*.deb"))


def _install_wheels(root, glibc, folder, *wheels):
    """Puts wheels into a folder, for the sysroot's own Python and glibc."""
    platforms = ["manylinux2014_aarch64"]
    platforms += [f"manylinux_2_{minor}_aarch64" for minor in range(17, glibc + 1)]
    tools.run_program(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *("--target", folder, "--no-deps", "--no-compile"),
            *("--only-binary=:all:", "--python-version", _python_version(root)),
            *(f"--platform={name}" for name in platforms),
            *wheels,
        ],
        f"download {' and '.join(wheels)} for aarch64 and Python {_python_version(root)}",
    )


def _require_litert(root):
    """Imports LiteRT on the emulated processor, which also writes Python's bytecode."""
    script = root / "check.py"
    script.write_text(
        "import numpy, platform\nfrom ai_edge_litert import interpreter\n"
        "print(platform.machine())\n"
    )
    found = emulate.run_script(root, script, environment={"PYTHONDONTWRITEBYTECODE": ""})
    if found.strip() != "aarch64":
        raise tools.ToolError(f"The sysroot's Python says it runs on {found!r}, not aarch64.")


def _litert_version():
    extras.require("ai_edge_litert", purpose="The sysroot", extra="tflite")
    return importlib.metadata.version("ai-edge-litert")


def _release():
    """Distribution and release of the host, such as "debian-12"."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return f"{release.get('ID', 'unknown')}-{release.get('VERSION_ID', 'unknown')}"


def _python_version(root):
    return emulate.python(root).name.removeprefix("python")


def _glibc_minor(packages):
    """The minor version of the sysroot's glibc 2, from its package's name."""
    for package in packages:
        if match := re.match(r"libc6_2\.(\d+)", package.name):
            return int(match[1])
    raise tools.ToolError("apt downloaded no libc6.")


def _glibc_of(root):
    """The same, of a sysroot that is built."""
    library = next(root.glob("**/libc.so.6")).read_bytes()
    return int(re.search(rb"GNU C Library [^\n]* version 2\.(\d+)", library)[1])


def main(argv=None):
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_ghostnet.benchmark.arm.sysroot", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--sources", metavar="FILE", help="apt sources with arm64 packages")
    args = parser.parse_args(argv)
    try:
        print(get_sysroot(args.sources))
    except (ImportError, OSError, tools.ToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
