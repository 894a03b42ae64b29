"""What the checks share: one JSON line on standard output for each, and waiting for what takes time."""

import json
import os
import time
import traceback

BOOTSTRAP = os.environ.get("COMPAT_BOOTSTRAP", "localhost:9092")
PREFIX = os.environ.get("COMPAT_PREFIX", "compat-")
MATCH = os.environ.get("COMPAT_MATCH", "")


def unique(name):
    """A name of a topic or group that nobody else uses."""
    return PREFIX + name


def check(name, body):
    """Runs one check and reports it. The body gets a list to put functions on that are called afterwards."""
    if MATCH not in name:
        return
    started_at = time.monotonic()
    closers = []
    message = {"check": name}
    try:
        body(closers)
    except BaseException:
        message["error"] = traceback.format_exc()
    message["tookMs"] = round((time.monotonic() - started_at) * 1000)
    write(message)
    for close in reversed(closers):
        try:
            close()
        except BaseException:
            traceback.print_exc()


def expect_codec(topic, partition, codec):
    """Asks the runner to look whether the first batch of the partition is stored with this codec."""
    write({"codec": codec, "topic": topic, "partition": partition})


def write(message):
    print(json.dumps(message), flush=True)


def same(found, expected, about=""):
    if found != expected:
        raise AssertionError(f"{about}\n  found    {found!r}\n  expected {expected!r}")


def until(what, body, timeout=30):
    """Calls the body until it returns something true; returns that."""
    deadline = time.monotonic() + timeout
    while True:
        found = body()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what() if callable(what) else what}")
        time.sleep(0.02)
