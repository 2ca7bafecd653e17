"""`python -m fairsal_core`."""

import sys

from fairsal_core.cli import main

sys.exit(main(name="python -m fairsal_core"))
