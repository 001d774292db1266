"""`python -m imlcmm` is `imlcmm`."""

import sys

from imlcmm.cli import main

sys.exit(main())
