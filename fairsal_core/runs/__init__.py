"""Runs: jobs in processes of their own, what they leave, and what they share."""

import lazy_loader

# What a name needs is imported when the name is first used: listing runs needs no torch. The names stand in `__init__.pyi`.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
