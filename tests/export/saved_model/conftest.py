"""A small classifier of either family, as it is served."""

import pytest

from keras_ghostnet.export.saved_model.layout import export_version
from keras_ghostnet.export.saved_model.session import ServingSession
from tests.export.networks import settled_network
from tests.training.photographs import encode, picture

LABELS = [f"class {number}" for number in range(10)]
TOP = 3
FAMILIES = ["ghostnet", "g_ghostnet"]  # the first outputs probabilities, the second logits


@pytest.fixture(scope="session")
def ghostnet(images):
    return settled_network("ghostnet_050", images, classifier_activation="softmax")


@pytest.fixture(scope="session")
def g_ghostnet(images):
    return settled_network("g_ghost_regnetx_002", images)


@pytest.fixture(scope="session")
def ghostnet_version(ghostnet, tmp_path_factory):
    """The folder of version 1, in a server's folder of its own."""
    return export_version(ghostnet, tmp_path_factory.mktemp("serving"), labels=LABELS, top_k=TOP)


@pytest.fixture(scope="session")
def g_ghostnet_version(g_ghostnet, tmp_path_factory):
    return export_version(g_ghostnet, tmp_path_factory.mktemp("serving"), labels=LABELS, top_k=TOP)


@pytest.fixture(scope="session")
def ghostnet_session(ghostnet_version):
    with ServingSession(ghostnet_version) as session:
        yield session


@pytest.fixture(scope="session")
def g_ghostnet_session(g_ghostnet_version):
    with ServingSession(g_ghostnet_version) as session:
        yield session


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def network(family, request):
    """The Keras model of a family."""
    return request.getfixturevalue(family)


@pytest.fixture
def version(family, request):
    """The folder of its first version."""
    return request.getfixturevalue(f"{family}_version")


@pytest.fixture
def session(family, request):
    """A session of that."""
    return request.getfixturevalue(f"{family}_session")


@pytest.fixture(scope="session")
def photos():
    """Files of several sizes, shapes and kinds."""
    sizes = ((64, 64), (48, 96), (200, 75), (333, 500), (20, 30))
    return [
        encode(picture(*size, seed=number), form)
        for number, size in enumerate(sizes)
        for form in ("JPEG", "PNG")
    ]
