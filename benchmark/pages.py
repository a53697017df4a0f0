"""Pages of HTML that need nothing else, from the templates beside this file."""

import functools
import importlib.resources

from keras_ghostnet import files


def render_page(template: str, **values) -> str:
    """A page of a template, all of whose texts are escaped unless the template says otherwise.

    Args:
        template: The name of a file in `templates/`.
        **values: What the template names; all of it must be given.

    Raises:
        ImportError: If Jinja is missing.
    """
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment():
    import jinja2

    folder = importlib.resources.files("keras_ghostnet.benchmark") / "templates"
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=files.printable_lines,
        trim_blocks=True,
        lstrip_blocks=True,
    )
