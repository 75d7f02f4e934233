"""`python -m onwrist` is the command `onwrist`."""

import sys

from onwrist.cli import main

sys.exit(main())
