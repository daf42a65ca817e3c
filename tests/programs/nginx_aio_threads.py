# SPDX-License-Identifier: MIT
"""nginx with `aio threads`: each read of a file passes through a queue to 32 pool threads."""

import os
import random
import re
import threading
import urllib.request

import harness

SMALL = 16 * 1024
LARGE = 47 * 1024 * 1024 + 7
DOWNLOADS = 8
CHUNK = 256 * 1024

CONFIGURATION = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
thread_pool readers threads=32 max_queue=65536;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile off;
    aio threads=readers;
    output_buffers 2 64k;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
    }}
}}
"""


class NginxAioThreads(harness.ProgramTest):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("files"))
        os.chmod(self.folder, 0o755)
        generator = random.Random(47)
        self.large = generator.randbytes(LARGE)
        for name, content in (("small", generator.randbytes(SMALL)), ("large", self.large)):
            with open(self.path(f"files/{name}"), "wb") as file:
                file.write(content)

    def start(self, port):
        configuration = self.path("nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(folder=self.folder, port=port))
        return ["nginx", "-p", self.folder, "-c", configuration, "-e", "stderr"]

    def test_load_of_32_connections_gets_no_error(self):
        def action(arm):
            with harness.server(arm, self.start) as port:
                argv = ["wrk", "-t2", "-c32", "-d4s", "--timeout", "20s",
                        f"http://127.0.0.1:{port}/small"]  # fmt: skip
                output = harness.run(harness.PLAIN, argv, limit=40).stdout.decode()
            requests = re.search(r"(\d+) requests in", output)
            self.assertIsNotNone(requests, output)
            self.assertGreater(int(requests.group(1)), 100, output)
            return re.findall(r"(?:Non-2xx|Socket errors).*", output)

        self.assertEqual(self.in_both_arms(action), [])

    def fetch(self, port, verdicts):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/large", timeout=30) as answer:
                at = 0
                while chunk := answer.read(CHUNK):
                    if chunk != self.large[at : at + len(chunk)]:
                        verdicts.append(f"differs between {at} and {at + len(chunk)}")
                        return
                    at += len(chunk)
            verdicts.append("equal" if at == LARGE else f"{at} bytes")
        except Exception as error:  # reaches the main thread as a verdict
            verdicts.append(repr(error))

    def test_a_large_file_fetched_eight_times_at_once_is_equal_byte_for_byte(self):
        def action(arm):
            verdicts = []
            with harness.server(arm, self.start) as port:
                threads = [
                    threading.Thread(target=self.fetch, args=(port, verdicts))
                    for _ in range(DOWNLOADS)
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            return verdicts

        self.assertEqual(self.in_both_arms(action), ["equal"] * DOWNLOADS)


if __name__ == "__main__":
    harness.require(nginx="nginx-core", wrk="wrk")
    harness.main()
