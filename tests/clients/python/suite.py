"""Runs one Python client suite: `suite.py SUITE [part of a claim]`, where SUITE is a prefix of modules
such as amqp, kafka, sqs or celery.

The endpoints come from the environment: AMQP_ADDRESS and KAFKA_ADDRESS (host:port), SQS_URL.
"""

import importlib
import pathlib
import sys

import checks


def main():
    """Imports `<suite>_*.py` in order of name, then runs the checks that they registered."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.strip())
    here = pathlib.Path(__file__).parent
    modules = sorted(path.stem for path in here.glob(f"{sys.argv[1]}_*.py"))
    if not modules:
        sys.exit(f"no suite {sys.argv[1]!r}: there is no {sys.argv[1]}_*.py in {here}")
    for module in modules:
        importlib.import_module(module)
    return checks.run(sys.argv[2] if len(sys.argv) == 3 else "")


if __name__ == "__main__":
    sys.exit(main())
