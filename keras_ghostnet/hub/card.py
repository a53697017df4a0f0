"""The model card of a repository: `README.md`, with what the hub reads in front of it."""

import importlib.resources
import json

from keras_ghostnet import files
from keras_ghostnet.version import __version__
from keras_ghostnet.weights import hub
from keras_ghostnet.weights.hub_client import PREFIX

SHOWN = 20  # classes
FIGURES = {"loss": "Loss", "accuracy": "Top-1, %", "top5": "Top-5, %"}
FIGURES_OF_PIXELS = {"loss": "Loss", "accuracy": "Pixels, %", "mean_iou": "Mean IoU, %"}
_HTML = {"&": "&amp;", "<": "&lt;"}
SETTINGS = ("name", "epochs", "batch_size", "image_size", "learning_rate", "schedule")  # no paths
# What means something in Markdown within a line, and in links that are recognized by themselves.
_PUNCTUATION = str.maketrans({c: f"\\{c}" for c in r"\`*_{}[]()#!|~>@$:."} | _HTML)


def render(
    *, repository, published, parameters, takes, of_pixels, recipe, metrics, has_curve, artifacts,
    has_weights, in_timm, license,
) -> str:  # fmt: skip
    """The text of a model card; whatever is foreign in it is shown as it is, and is no markup.

    Args:
        repository: `"ORG/NAME"`.
        published: What the repository says of the model.
        parameters: The number of weights.
        takes: `"normalized"` or `"pixels"`.
        of_pixels: Whether the model classifies every pixel.
        recipe: The run's settings; empty without one.
        metrics: The content of the run's `metrics.json`; empty without one.
        has_curve: Whether the learning curve goes along.
        artifacts: From the artifacts' names to their sidecars' contents.
        has_weights: Whether there are weights in PyTorch's names.
        in_timm: Whether timm has the network.
        license: As `push`.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        finalize=markdown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["yaml"] = lambda text: Markup(json.dumps(files.printable(text)))
    base = recipe.get("weights")
    template = importlib.resources.files(__package__) / "templates" / "model_card.md"
    return environment.from_string(
        template.read_text("utf-8")
    ).render(
        repository=Markup(repository),  # letters, digits and . _ - alone
        reference=Markup(PREFIX + repository),
        published=published,
        parameters=parameters,
        version=Markup(__version__),
        mean=Markup(", ".join(map(str, published.mean))),
        std=Markup(", ".join(map(str, published.std))),
        labels=", ".join(published.labels[:SHOWN]),
        shown=SHOWN,
        takes=takes,
        task="image-segmentation" if of_pixels else "image-classification",
        of_pixels=of_pixels,
        training=[(name, recipe[name]) for name in SETTINGS if recipe.get(name) is not None],
        figures=_figures(metrics, of_pixels),
        has_curve=has_curve,
        artifacts=[_row(name, content) for name, content in artifacts.items()],
        weights=has_weights,
        in_timm=in_timm,
        license=license,
        base=hub.split(base)[0] if hub.is_reference(base) else None,
    )


def markdown(value: object) -> object:
    """A value of the card: text becomes one line in which nothing is Markdown or HTML."""
    if type(value) is not str:  # markup is our own
        return value
    return files.printable(value).translate(_PUNCTUATION)


def _figures(metrics, of_pixels):
    """The best epoch's figures as the card shows them, by their titles; none without."""
    titles = FIGURES_OF_PIXELS if of_pixels else FIGURES
    best = metrics.get("best", {})
    values = [best.get(f"val_{name}") for name in titles]
    if not all(isinstance(value, int | float) for value in values):
        return {}
    loss, *fractions = values
    shown = [f"{loss:.4f}", *(f"{100 * fraction:.2f}" for fraction in fractions)]
    return dict(zip(titles.values(), shown, strict=True))


def _row(name, content):
    verification = content["verification"]
    return {
        "name": name,
        "format": content["format"],
        "bytes": content["bytes"],
        "error": verification["max_error"],
        "agreement": verification["agreement"],
    }
