"""What is measured runs here, in a process of its own: ``python -m bench.child TASK [JSON]`` prints one JSON object."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django


def main() -> int:
    """Do one task and print what it found."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pivotal.settings")
    django.setup()
    from django.conf import settings

    from bench import tasks

    settings.DEBUG = False  # with it Django keeps the text of every statement, rows and all
    options: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    sys.stdout.write(json.dumps(tasks.TASKS[sys.argv[1]](**options)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
