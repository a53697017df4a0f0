"""Links in notebooks name Markdown files, as everywhere; MkDocs translates those of pages alone."""

import posixpath
import re

from mkdocs.exceptions import PluginError


def on_page_content(html, page, files, **_):
    """Points a notebook's links to pages of the site, and refuses those that lead nowhere."""
    here = page.file.src_uri
    if not here.endswith(".ipynb"):
        return html

    def translated(link):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), link[1]))
        target = files.get_file_from_path(path)
        if target is None:
            raise PluginError(f"{here} links to {link[1]}, and there is no docs/{path}.")
        return f'href="{target.url_relative_to(page.file)}"'

    return re.sub(r'href="(?!https?:)([^"#]+\.md)"', translated, html)
