"""One mutated file: read, and judged."""

from keras_ghostnet.export.artifacts import ArtifactError
from tests.hostile import mutations
from tests.hostile.kinds import KINDS, ORIGINALS

# What `ghostnet` shows as a message of its own; all else is a fault of a reader.
FORESEEN = (ValueError, OSError, ImportError, ArithmeticError)
MOST = 2000  # characters of a message


def prepare(name, folder):
    """Writes a kind's sound file, which must be read without an error; returns its path."""
    kind, folder = KINDS[name], folder / "".join(c if c.isalnum() else "-" for c in name)
    folder.mkdir(parents=True)
    path = kind.make(folder)
    ORIGINALS[path] = path.read_bytes()
    kind.read(path)
    return path


def outcome(name, path, seed):
    """What becomes of one mutation: `"read"`, `"refused"`, or what is wrong, after `"FAULT: "`."""
    path.write_bytes(mutations.mutate(ORIGINALS[path], f"{name} {seed}"))
    try:
        KINDS[name].read(path)
    except FORESEEN as error:
        text = str(error).strip()
        lines = text.split("\n")
        is_list = isinstance(error, ArtifactError)  # a line for each artifact
        if not text or max(map(len, lines)) > MOST or (len(lines) > 1 and not is_list):
            return f"FAULT: the message is no line: {text[:200]!r}"
        return "refused"
    except Exception as error:
        return f"FAULT: {type(error).__name__}: {str(error)[:200]!r}"
    finally:
        path.write_bytes(ORIGINALS[path])
    return "read"
