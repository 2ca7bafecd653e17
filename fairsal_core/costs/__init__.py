"""Costs: what a job takes of time, memory and disk, told before it starts."""

import lazy_loader

# What a name needs is imported when the name is first used. The names stand in `__init__.pyi`.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
