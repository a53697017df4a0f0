"""Griffe reads docstrings without importing; the model constructors' are completed on import."""

import re

import griffe

PLACEHOLDER = re.compile(r"^\s*\{\w+\}$", re.MULTILINE)


class RuntimeDocstrings(griffe.Extension):
    """Takes a docstring from the imported object where the source holds a placeholder or a call."""

    def on_function_instance(self, *, func: griffe.Function, **_: object) -> None:
        if func.docstring and PLACEHOLDER.search(func.docstring.value):
            func.docstring.value = griffe.dynamic_import(func.path).__doc__

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: object) -> None:
        if str(attr.value).startswith("_constructor("):
            attr.docstring = griffe.Docstring(griffe.dynamic_import(attr.path).__doc__, parent=attr)
