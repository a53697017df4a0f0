"""The package's version, read when it is built too."""

__version__ = "0.1.0"
