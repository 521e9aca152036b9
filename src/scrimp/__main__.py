"""`python -m scrimp` is the `scrimp` command."""

import sys

from scrimp.cli import main

sys.exit(main())
