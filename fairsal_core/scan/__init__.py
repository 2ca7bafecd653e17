"""The scan: on which attributes a classifier differs, where it looks, and what no column names."""

import lazy_loader

# What a name needs is imported when the name is first used. The names stand in `__init__.pyi`.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
