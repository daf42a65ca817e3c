# SPDX-License-Identifier: MIT
"""The work of python_queue.py: three threads produce, three consume with a deadline and hash.

The sum depends on the number of items alone; how threads share them out does not matter."""

import hashlib
import queue
import sys
import threading

PRODUCERS = CONSUMERS = 3
items = int(sys.argv[1])
work = queue.Queue(maxsize=16)
results = queue.Queue()


def produce(number):
    for item in range(number, items, PRODUCERS):
        work.put(item)


def consume():
    total = count = 0
    while True:
        item = work.get(timeout=60)
        if item is None:
            break
        # Beyond 2047 bytes hashlib releases the interpreter's lock.
        digest = hashlib.sha256(item.to_bytes(4, "big") * 1024).digest()
        total += int.from_bytes(digest[:6], "big")
        count += 1
    results.put((count, total))


producers = [threading.Thread(target=produce, args=(number,)) for number in range(PRODUCERS)]
consumers = [threading.Thread(target=consume) for _ in range(CONSUMERS)]
for thread in producers + consumers:
    thread.start()
for thread in producers:
    thread.join()
for _ in consumers:
    work.put(None)
for thread in consumers:
    thread.join()

counts, totals = zip(*(results.get_nowait() for _ in consumers))
print(f"items={sum(counts)} sum={sum(totals)} idle={work.qsize()}")
