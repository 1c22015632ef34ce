"""The command line: `python -m sandbox serve` and `python -m sandbox customers`."""

import argparse
import csv
import gc
import sys
from pathlib import Path

from sandbox.accounts import FIELDNOTE, MODES
from sandbox.generate import PROFILES, SKEWS, Generator
from sandbox.serve import serve
from sandbox.state import StateFile, WebhookEndpoint
from sandbox.world import Settings, World


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve the local Stripe until a signal ends it")
    _data_options(serving)
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=0, help="0 = any free port")
    serving.add_argument("--port-file", type=Path, help="write the port here once connections are accepted")
    serving.add_argument("--state-file", type=Path, help="keep tokens, keys and changes here across restarts")
    serving.add_argument("--latency-ms", type=int, default=0)
    serving.add_argument("--rate-per-endpoint", type=float, default=0, help="requests per second, 0 = no limit")
    serving.add_argument("--rate-per-account", type=float, default=0, help="requests per second, 0 = no limit")
    for mode in ("live", "test"):
        serving.add_argument(f"--webhook-url-{mode}", help=f"deliver events of connected accounts, {mode} mode, here")
        serving.add_argument(f"--webhook-secret-{mode}", default=f"whsec_sandbox_{mode}")
    customers = commands.add_parser("customers", help="print the CRM customers that belong to the data, as CSV")
    _data_options(customers)
    return parser


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", choices=PROFILES, default="demo")
    parser.add_argument("--subscriptions", type=int, default=1000, help="how many, in the bulk profile")
    parser.add_argument(
        "--skew", choices=SKEWS, default="none", help="how creation times are spread in the bulk profile"
    )


def main() -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args()
    generator = Generator(options.profile, options.seed, options.subscriptions, options.skew)
    if options.command == "customers":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["name", "domain", "owner", "status", "environment"])
        writer.writerows(generator.customers())
        return 0
    settings = Settings(
        options.seed, options.profile, options.latency_ms, options.rate_per_endpoint, options.rate_per_account
    )
    world = World(settings, generator.dataset, StateFile(options.state_file))
    _configure_webhooks(world, options)
    _prepare(world, options.profile)
    try:
        serve(world, options.host, options.port, options.port_file)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    return 0


def _prepare(world: World, profile: str) -> None:
    """Make the data before the first request; test mode of a large data set waits until somebody asks for it."""
    gc.disable()
    for mode in MODES if profile == "demo" else MODES[:1]:
        world.data(FIELDNOTE.id, mode)
    gc.freeze()
    gc.enable()


def _configure_webhooks(world: World, options: argparse.Namespace) -> None:
    for mode in ("live", "test"):
        url = getattr(options, f"webhook_url_{mode}")
        if url:
            kept = [one for one in world.webhooks.endpoints if not (one.connect and one.mode == mode)]
            kept.append(WebhookEndpoint(url, getattr(options, f"webhook_secret_{mode}"), mode))
            world.webhooks.endpoints[:] = kept


if __name__ == "__main__":
    sys.exit(main())
