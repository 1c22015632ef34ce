"""gunicorn's settings in production: `gunicorn pivotal.wsgi --config deploy/gunicorn.conf.py`."""

import os

bind = os.environ.get("BIND", f"0.0.0.0:{os.environ.get('PORT', '8000')}")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 (gunicorn's heartbeat, in memory)
timeout = 60
graceful_timeout = 30  # on SIGTERM: what is being answered is answered, nothing new is taken
keepalive = 5
max_requests, max_requests_jitter = 10_000, 1_000
limit_request_line, limit_request_fields = 8_190, 50
accesslog = os.environ.get("ACCESS_LOG") or None
# No query strings: the way back from Stripe's consent page carries a code there.
access_log_format = "%(h)s %(m)s %(U)s %(s)s %(b)s %(M)sms %({x-request-id}o)s"
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
