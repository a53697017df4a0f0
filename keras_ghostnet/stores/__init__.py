"""Object stores: paths such as `s3://BUCKET/KEY`, through fsspec and its libraries.

Names are imported when they are first used; `__init__.pyi` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
