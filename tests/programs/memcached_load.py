# SPDX-License-Identifier: MIT
"""memcached with four threads: under generated load, and under a client that checks each answer."""

import hashlib
import re
import socket
import threading

import harness

CLIENTS = 6
KEYS = 1500


def start(port):
    return ["memcached", "-l", "127.0.0.1", "-p", str(port), "-U", "0",
            "-t", "4", "-m", "256", "-u", "root"]  # fmt: skip


class Connection:
    """Speaks the text protocol; one connection per client thread."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.stream = self.socket.makefile("rwb")

    def ask(self, request):
        self.stream.write(request + b"\r\n")
        self.stream.flush()
        return self.stream.readline().strip()

    def store(self, key, value):
        return self.ask(b"set %s 0 0 %d\r\n%s" % (key, len(value), value)) == b"STORED"

    def get(self, key):
        header = self.ask(b"get " + key)
        if header == b"END":
            return None
        value = self.stream.read(int(header.split()[3]))
        self.stream.readline()
        self.stream.readline()
        return value

    def close(self):
        self.stream.close()
        self.socket.close()


def value_of(key):
    return hashlib.sha256(key).hexdigest().encode() * (1 + key[-1] % 8)


def check_every_answer(port, number, wrong):
    connection = Connection(port)
    keys = [b"client-%d-key-%d" % (number, i) for i in range(KEYS)]
    try:
        for key in keys:
            if not connection.store(key, value_of(key)):
                wrong.append(key)
            connection.ask(b"incr shared-counter 1")
        for key in keys:
            if connection.get(key) != value_of(key):
                wrong.append(key)
        for key in keys[::2]:
            if connection.ask(b"delete " + key) != b"DELETED" or connection.get(key) is not None:
                wrong.append(key)
    except Exception as error:  # reaches the main thread as a wrong answer
        wrong.append(repr(error))
    finally:
        connection.close()


def statistic(port, name):
    connection = Connection(port)
    connection.stream.write(b"stats\r\n")
    connection.stream.flush()
    answer = None
    while (line := connection.stream.readline().split()) != [b"END"]:
        if line[1] == name:
            answer = int(line[2])
    connection.close()
    return answer


class MemcachedLoad(harness.ProgramTest):
    def test_generated_load_misses_nothing_and_verifies(self):
        def action(arm):
            with harness.server(arm, start) as port:
                argv = ["memcaslap", "-s", f"127.0.0.1:{port}", "-T", "2", "-c", "32",
                        "-X", "100", "-d", "16", "-v", "0.1", "-x", "1000000"]  # fmt: skip
                output = harness.run(harness.PLAIN, argv, limit=60).stdout.decode()
            names = ("get_misses", "verify_misses", "verify_failed")
            return {name: re.findall(rf"^{name}: (\d+)", output, re.M) for name in names}

        expected = {"get_misses": ["0"], "verify_misses": ["0"], "verify_failed": ["0"]}
        self.assertEqual(self.in_both_arms(action), expected)

    def test_each_answer_is_what_was_stored_and_no_increment_is_lost(self):
        def action(arm):
            wrong = []
            with harness.server(arm, start) as port:
                first = Connection(port)
                first.store(b"shared-counter", b"0")
                clients = [
                    threading.Thread(target=check_every_answer, args=(port, number, wrong))
                    for number in range(CLIENTS)
                ]
                for client in clients:
                    client.start()
                for client in clients:
                    client.join()
                counter = int(first.get(b"shared-counter"))
                first.close()
                return wrong, counter, statistic(port, b"curr_items")

        self.assertEqual(
            self.in_both_arms(action), ([], CLIENTS * KEYS, CLIENTS * KEYS // 2 + 1)
        )


if __name__ == "__main__":
    harness.require(memcached="memcached", memcaslap="libmemcached-tools")
    harness.main()
