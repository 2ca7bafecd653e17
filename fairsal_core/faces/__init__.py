"""Image sets: loading, packing, subsets, safe decoding, regions of interest, part masks."""

import lazy_loader

# What a name needs is imported when the name is first used: decoding an upload needs no pandas. The names stand in `__init__.pyi`.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
