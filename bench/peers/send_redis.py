"""Hands jobs to Celery or Dramatiq; run in the peers' environment.

Usage: python send_redis.py celery|dramatiq COUNT RATE    RATE is jobs a second, 0 as fast as it goes. Prints a line
when it is ready, waits for one, hands over, and prints a line for each job: the id of its event, and when it was handed
over (seconds since the epoch).
"""

import importlib
import sys
import time
import uuid


def main(framework: str, count: int, rate: float) -> None:
    """Hand over and print."""
    task = importlib.import_module(f"{framework}_worker").note
    send = task.delay if framework == "celery" else task.send
    sent = {}
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    for number in range(count):
        if rate:
            time.sleep(max(0.0, began + number / rate - time.time()))
        event_id = str(uuid.uuid4())
        sent[event_id] = time.time()
        send(event_id, str(uuid.uuid4()), str(uuid.uuid4()))
    for event_id, at in sent.items():
        print(event_id, at)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
