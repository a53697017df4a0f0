"""The Hugging Face hub: models of one's own, uploaded with all that belongs to them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
