"""Zip archives and HDF5 files that reach outside of themselves or unfold without end."""

import io
import stat
import zipfile

import h5py
import numpy as np
import pytest

from tests.weights import checkpoint_files as files
from tests.weights.hostile import SMALL, refuse

pytestmark = pytest.mark.usefixtures("in_time")


# ------------------------------------------------------------------------------- hostile archives


def rewrite(path, change, **options):
    """Writes a good PyTorch archive, then again with every member passed through `change`."""
    files.write_torch_zip(path, SMALL)
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", **options) as archive:
        for info, content in members:
            change(archive, info, content)


@pytest.mark.parametrize(
    "name", ["../evil", "archive/../../evil", "/etc/evil", "C:/evil", "a\\evil"]
)
def test_names_that_leave_the_archive(path, tmp_path, name):
    files.write_torch_zip(path, SMALL)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    before = sorted(tmp_path.iterdir())
    refuse(path, "names that stay inside the archive")
    assert sorted(tmp_path.iterdir()) == before


def test_link_in_archive(path):
    info = zipfile.ZipInfo("archive/data/1")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    files.write_torch_archive(path, files.pickled(files.table({})), {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    refuse(path, "a link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_twice(path):
    files.write_torch_zip(path, SMALL)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/0", b"\0" * 24)
    refuse(path, "member 'archive/data/0' twice")


def test_compressed_archive(path):
    rewrite(
        path,
        lambda archive, info, content: archive.writestr(info.filename, content),
        compression=zipfile.ZIP_DEFLATED,
    )
    refuse(path, "in compressed form")


def zip_bomb(path, name, size=2**28):
    with zipfile.ZipFile(path, "a", compression=zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as member:
            for _ in range(size // 2**24):
                member.write(bytes(2**24))


def test_zip_bomb_as_storage(path):
    tensor = files.torch_tensor("0", "FloatStorage", 2**26, (2**26,), (1,))
    files.write_torch_archive(path, files.pickled(files.table({"a": tensor})), {})
    zip_bomb(path, "archive/data/0")
    refuse(path, "in compressed form")


def test_zip_bomb_as_keras_archive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    zip_bomb(path, "model.weights.h5")
    refuse(path, "decompression bomb")


def test_zip_bomb_that_lies_about_its_size(path):
    """Only as much is unfolded as was declared; the checksum then does not fit."""
    zip_bomb(path, "model.weights.h5")
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    refuse(path, "damaged|CRC")


def test_overlapping_members(path):
    """Two entries of the table of contents that share one member's data."""
    files.write_torch_zip(path, SMALL)
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    first = content.index(b"PK\x01\x02", directory + 1)
    second = content.index(b"PK\x01\x02", first + 1)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    path.write_bytes(content)
    refuse(path, "overlapping")


def test_other_archives(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    refuse(path, r"zip archive of other content \(members: 'readme.txt'\)")
    with zipfile.ZipFile(path, "w"):
        pass
    refuse(path, "members: none")
    files.write_torch_archive(path, files.pickled(files.table({})), {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/constants.pkl", "x")
    refuse(path, "TorchScript")


def test_keras_archive_with_other_content(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"no HDF5")
    refuse(path, "damaged|no HDF5")
    buffer = io.BytesIO()
    files.write_keras2_h5(buffer, SMALL)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", buffer.getvalue())
    refuse(path, "keras2_h5 in the archive")


# ----------------------------------------------------------------------------------- hostile HDF5


def external_storage(file, folder):
    (folder / "secret").write_bytes(b"\0" * 16)
    outside = [(str(folder / "secret"), 0, 16)]
    file.create_dataset("a/kernel:0", (4,), "f4", external=outside)


def virtual(file, _):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4,))
    file.create_virtual_dataset("a/kernel:0", layout)


def soft_link(file, _):
    file["a/kernel:0"] = h5py.SoftLink("/elsewhere")


def external_link(file, folder):
    files.write_keras2_h5(folder / "other.h5", SMALL)
    file["a"] = h5py.ExternalLink(str(folder / "other.h5"), "a")


def group_in_itself(file, _):
    file["a/b"] = file.create_group("a")


def deep(file, _):
    file["/".join("a" * 40)] = np.ones(2)


def bomb(file, _):
    file.create_dataset("a/kernel:0", (2**30,), "f4", compression="gzip", chunks=(2**20,))


def fat_chunk(file, _):
    file.create_dataset("a/k:0", (4,), "f4", maxshape=(None,), compression="gzip", chunks=(2**28,))


def named_type(file, _):
    file["a/kernel:0"] = np.dtype("f4")


def other_filter(file, _):
    file.create_dataset("a/kernel:0", data=np.arange(99), chunks=(99,), scaleoffset=0)


def at_the_root(file, _):
    file["measurements"] = np.ones(3)


def mixed(file, _):
    file["layers/dense/vars/0"] = np.ones(3)
    file["a/kernel:0"] = np.ones(3)


HDF5 = {
    external_storage: "data lies in other files",
    virtual: "data lies in other files",
    soft_link: "a soft link",
    external_link: "a link to another file",
    group_in_itself: "linked twice",
    deep: "nested too deep",
    bomb: "decompression bomb",
    fat_chunk: "decompression bomb",
    named_type: "a named type",
    other_filter: "unusual compression",
    at_the_root: "Keras did not write",
    mixed: "Keras did not write",
    lambda file, _: file.create_dataset("a/k:0", data="text"): "of type object",
    lambda file, _: file.create_dataset("a/k:0", data=np.bytes_(b"text")): "of type",
    lambda file, _: file.create_dataset("a/k:0", data=np.ones(2, "c8")): "complex64",
    lambda file, _: file.create_dataset("a/k:0", data=np.ones(2, "f4,f4")): "of type",
    lambda file, _: file.create_dataset("a/k:0", data=h5py.Empty("f4")): "without a shape",
    lambda file, _: file.create_group("a"): "no tensors",
}


@pytest.mark.parametrize("make", HDF5, ids=lambda make: make.__name__)
def test_hdf5(path, tmp_path, make):
    with h5py.File(path, "w") as file:
        make(file, tmp_path)
    refuse(path, HDF5[make])
