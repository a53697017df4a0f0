"""Programs of the host that the emulation calls."""

import shutil
import subprocess

# Program -> the Debian package that has it.
PACKAGES = {
    "apt-get": "apt",
    "cc": "gcc libc6-dev",
    "dpkg-deb": "dpkg",
    "qemu-aarch64": "qemu-user",
}
TAIL = 25  # lines of a failed program's output that are shown


class ToolError(RuntimeError):
    """A program of the host is missing or failed."""


def require_programs(*programs):
    """Makes sure that programs are there.

    Raises:
        ToolError: If some are missing; it says what installs them.
    """
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        packages = " ".join(PACKAGES[program] for program in missing)
        raise ToolError(
            f"Not found: {', '.join(missing)}. On Debian and Ubuntu: apt-get install {packages}"
        )


def run_program(command, doing, hint="", **options):
    """Runs a program to its end.

    Args:
        command: The program and its arguments.
        doing: What it is for, as in "could not `doing`".
        hint: What the user can do if it fails.
        **options: For `subprocess.run`.

    Returns:
        What it wrote to its standard output, text.

    Raises:
        ToolError: If it fails; with the end of what it wrote.
    """
    result = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        **options,
    )
    if result.returncode:
        output = "\n".join((result.stdout + result.stderr).splitlines()[-TAIL:])
        raise ToolError(f"Could not {doing} (exit code {result.returncode}).{hint}\n{output}")
    return result.stdout
