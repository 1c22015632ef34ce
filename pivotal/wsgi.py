"""The web server's entry point: `gunicorn pivotal.wsgi`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.template import engines
from django.template.loader import get_template
from django.urls import get_resolver

APP_LOAD_ERROR = 4  # gunicorn's own code for it: the server stops instead of starting workers for ever

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pivotal.settings")

try:
    application = get_wsgi_application()
    # Every page's code, now: left to the first requests, several threads would import it at once.
    get_resolver().url_patterns  # noqa: B018 (reading it is what loads it)
    # And every page's templates, which the first look at each would put together otherwise.
    for folder in map(Path, engines["django"].dirs):
        for template in sorted(folder.rglob("*.html")):
            get_template(template.relative_to(folder).as_posix())
except ImproperlyConfigured as error:
    sys.stderr.write(f"Pivotal cannot start: {error}\n")
    sys.exit(APP_LOAD_ERROR)
