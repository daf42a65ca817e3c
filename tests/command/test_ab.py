# SPDX-License-Identifier: MIT
"""`fastsync ab`: the order of runs, what it measures, and everything that must stop it."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest
import unittest.mock

import support
from fastsync_lib import server

PLAIN_OR_NOT = 'case "$LD_PRELOAD" in *libfastsync*) arm=B ;; *) arm=A ;; esac\n'


class AbTest(support.CommandTest):
    def ab(self, *arguments, **options):
        return self.fastsync('ab', *arguments, **options)

    def json_of(self, *arguments, **options):
        path = self.path('result.json')
        result = self.ab('--json', path, *arguments, **options)
        self.assert_success(result)
        with open(path, encoding='utf-8') as file:
            return json.load(file)

    def assert_stopped(self, result, *words):
        self.assert_one_line(result, 1, 'ab stopped', *words)


class Measuring(AbTest):
    def test_the_order_is_A_B_B_A_after_a_warm_up_of_each(self):
        log = self.path('log')
        note = self.shell('note', PLAIN_OR_NOT + f'printf $arm >>{log}\n')
        self.assert_success(self.ab('-n', '3', '--warmup', '2', note))
        with open(log, encoding='utf-8') as file:
            self.assertEqual(file.read(), 'ABAB' + 'ABBAAB')

    def test_the_json_has_every_run_and_every_measure(self):
        data = self.json_of('-n', '2', '-e', 'NAME=value', 'echo', 'x')
        self.assertEqual([(run['pair'], run['arm']) for run in data['runs']],
                         [(1, 'A'), (1, 'B'), (2, 'B'), (2, 'A')])
        self.assertEqual(set(data['measures']),
                         {'wall_s', 'user_s', 'system_s', 'voluntary_switches',
                          'involuntary_switches', 'peak_memory_mib'})
        self.assertEqual(data['settings'], {'NAME': 'value'})
        self.assertEqual(data['command'], ['echo', 'x'])
        self.assertIn('ratio', data['measures']['wall_s'])
        self.assertEqual(data['verdict']['word'], 'no difference')

    def test_json_on_standard_output_replaces_the_table(self):
        result = self.ab('-n', '1', '--json', '-', 'echo')
        self.assertEqual(json.loads(result.stdout)['pairs'], 1)

    def test_a_faster_metric_is_called_faster(self):
        program = self.shell('fast', PLAIN_OR_NOT
                             + '[ $arm = A ] && echo "speed: 1,000" || echo "speed: 2,000"')
        data = self.json_of('-n', '6', '--metric', 'speed: ([0-9,]+)', program)
        self.assertEqual(data['verdict']['word'], 'faster')
        self.assertEqual(data['verdict']['speed'], 2)
        self.assertEqual(data['measures']['metric']['A'], 1000)

    def test_a_larger_metric_is_slower_where_lower_is_better(self):
        program = self.shell('slow', PLAIN_OR_NOT
                             + '[ $arm = A ] && echo "time: 1" >&2 || echo "time: 2" >&2')
        data = self.json_of('-n', '6', '--metric', 'time: ([0-9]+)', '--metric-lower', program)
        self.assertEqual(data['verdict']['word'], 'slower')

    def test_a_longer_wall_time_is_called_slower(self):
        program = self.shell('nap', PLAIN_OR_NOT + '[ $arm = A ] || sleep 0.5')
        result = self.ab('-n', '6', program)
        self.assertIn('slower with the library', result.stdout)

    def test_few_pairs_give_no_verdict(self):
        program = self.shell('few', PLAIN_OR_NOT + '[ $arm = A ] && echo 1 || echo 9')
        result = self.ab('-n', '2', '--metric', '([0-9])', program)
        self.assertIn('no difference that 2 pairs can show', result.stdout)

    def test_variables_reach_arm_B_only(self):
        program = self.shell('vars', PLAIN_OR_NOT + 'echo "$arm $FASTSYNC_SPIN"')
        self.assert_success(self.ab('-n', '1', '-e', 'FASTSYNC_SPIN=7', '--check',
                                    'grep -qx -e "A " -e "B 7"', program))

    def test_the_plain_arm_is_plain_also_inside_a_preloaded_shell(self):
        program = self.shell('arms', PLAIN_OR_NOT + 'echo $arm')
        result = self.ab('-n', '1', '--same-output', program, LD_PRELOAD=self.stand_in)
        self.assert_stopped(result, 'arm B', 'differs')

    def test_nothing_is_printed_to_the_terminal_line_where_there_is_none(self):
        self.assertEqual(self.ab('-n', '1', 'true').stderr, '')

    def test_a_terminal_gets_a_progress_line(self):
        support.require(self, 'script', 'bsdutils')
        done = subprocess.run(
            ['script', '-qec', f'{sys.executable} {support.COMMAND} ab -n 1 true', '/dev/null'],
            env=dict(os.environ, FASTSYNC_LIBRARY=self.stand_in), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=support.LIMIT, check=False)
        self.assertIn('fastsync: pair 1 of 1, arm B (library)', done.stdout)

    @unittest.skipUnless(support.REAL_LIBRARY, 'FASTSYNC_LIBRARY is not set')
    def test_the_real_library_is_measured(self):
        result = self.ab('-n', '1', '--same-output', '--', 'echo', 'x',
                         library=support.REAL_LIBRARY)
        self.assert_success(result)
        self.assertIn('wall time', result.stdout)


class Stopping(AbTest):
    def test_a_program_that_fails_in_both_arms(self):
        self.assert_stopped(self.ab(self.shell('fail', 'echo why >&2; exit 3')),
                            'arm A (plain), warm-up 1', 'status 3', 'why')

    def test_a_program_that_fails_in_arm_B_only(self):
        program = self.shell('fail-b', PLAIN_OR_NOT + 'test $arm = A')
        self.assert_stopped(self.ab(program), 'arm B (library), warm-up 1', 'status 1')

    def test_a_program_that_fails_later(self):
        count = self.path('count')
        program = self.shell('fail-later', f'echo x >>{count}; test $(wc -l <{count}) -lt 5')
        self.assert_stopped(self.ab(program), 'arm B (library), pair 2', 'status 1')

    def test_a_program_that_dies_of_a_signal(self):
        self.assert_stopped(self.ab(self.shell('die', 'kill -SEGV $$')), 'SIGSEGV')

    def test_a_program_that_cannot_be_preloaded(self):
        static = support.compile_c(support.SAY_HELLO, self.path('static'), '-static')
        self.assert_one_line(self.ab(static), 2, 'statically linked')

    def test_a_program_that_takes_too_long_is_killed_with_its_children(self):
        pid = self.path('pid')
        program = self.shell('long', f'sleep 300 & echo $! >{pid}; wait')
        self.assert_stopped(self.ab('--timeout', '0.5', program), '0.5 s', 'killed')
        with open(pid, encoding='utf-8') as file:
            self.assert_gone(int(file.read()))

    def test_children_that_outlive_the_program_are_killed(self):
        pid = self.path('pid2')
        program = self.shell('leave', f'sleep 300 >/dev/null 2>&1 & echo $! >{pid}')
        self.assert_success(self.ab('-n', '1', program))
        with open(pid, encoding='utf-8') as file:
            self.assert_gone(int(file.read()))

    def assert_gone(self, pid):
        for _ in range(100):
            try:
                with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
                    if file.read().rsplit(')', 1)[1].split()[0] == 'Z':
                        return
            except FileNotFoundError:
                return
            time.sleep(0.05)
        self.fail(f'process {pid} is still there')

    def test_a_terminated_measurement_leaves_nothing_behind(self):
        pid = self.path('pid3')
        program = self.shell('endless', f'echo $$ >{pid}; exec sleep 300')
        command = subprocess.Popen([sys.executable, support.COMMAND, 'ab', program],
                                   env=dict(os.environ, FASTSYNC_LIBRARY=self.stand_in))
        try:
            while not os.path.exists(pid) or not os.path.getsize(pid):
                time.sleep(0.02)
            command.send_signal(signal.SIGTERM)
            self.assertEqual(command.wait(support.LIMIT), 128 + signal.SIGTERM)
        finally:
            command.kill()
        with open(pid, encoding='utf-8') as file:
            self.assert_gone(int(file.read()))

    def test_a_measurement_terminated_as_its_program_starts_leaves_nothing_behind(self):
        for number in range(8):
            pid = self.path(f'early{number}')
            program = self.shell(f'early{number}.sh', f'kill -TERM $PPID\necho $$ >{pid}; exec sleep 300')
            self.assertEqual(self.ab(program).returncode, 128 + signal.SIGTERM)
            time.sleep(0.1)
            if os.path.exists(pid) and os.path.getsize(pid):  # it came so far
                with open(pid, encoding='utf-8') as file:
                    self.assert_gone(int(file.read()))

    def test_output_that_differs_between_the_arms(self):
        program = self.shell('differ', PLAIN_OR_NOT + 'echo $arm')
        self.assert_stopped(self.ab('--same-output', program), 'arm B', 'differs')

    def test_output_that_differs_between_plain_runs_is_told_apart(self):
        program = self.shell('vary', PLAIN_OR_NOT + f'''
            [ $arm = A ] && echo x >>{self.path('vary.log')}
            [ $arm = B ] || wc -l <{self.path('vary.log')}
            [ $arm = A ] || echo 1''')
        self.assert_stopped(self.ab('--same-output', program), 'arm A', 'both plain', '--check')

    def test_a_check_that_fails(self):
        program = self.shell('check', PLAIN_OR_NOT + 'echo $arm')
        result = self.ab('--check', 'grep -q A || { echo not A >&2; exit 4; }', program)
        self.assert_stopped(result, 'arm B', 'status 4', 'not A')

    def test_a_check_that_holds(self):
        self.assert_success(self.ab('-n', '1', '--check', 'grep -qx x', 'echo', 'x'))

    def test_a_metric_that_is_not_in_the_output(self):
        result = self.ab('--metric', 'speed: ([0-9]+)', 'echo', 'nothing')
        self.assert_stopped(result, 'arm A', 'metric', 'not in its output')

    def test_a_metric_that_is_not_a_number(self):
        self.assert_stopped(self.ab('--metric', '(fast)', 'echo', 'fast'), "'fast'")

    def test_a_metric_of_zero(self):
        self.assert_stopped(self.ab('--metric', '([0-9])', 'echo', '0'), 'above 0')

    def test_a_program_that_drops_the_library(self):
        program = self.shell('drop', PLAIN_OR_NOT + 'unset LD_PRELOAD; exec 2>/dev/null')
        quiet = support.compile_c('#include <unistd.h>\nint quiet(void) { return (int)getpid(); }',
                                  self.path('libfastsync.so.1'), '-shared', '-fPIC')
        self.assert_stopped(self.ab(program, library=quiet), 'arm B', 'no proof')

    def test_a_plain_arm_that_has_the_library(self):
        program = self.shell('always', f'LD_PRELOAD={self.stand_in} /bin/true')
        self.assert_stopped(self.ab(program), 'arm A', 'plain arm too')


class Serving(AbTest):
    def setUp(self):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.server = f'{sys.executable} -m http.server --bind 127.0.0.1 {self.port}'
        self.ready = f'{sys.executable} -c "import socket; socket.create_connection(' \
                     f"('127.0.0.1', {self.port}), 1)\""
        self.client = self.script('client.py', f'''#!{sys.executable}
import os, urllib.request
print(len(urllib.request.urlopen('http://127.0.0.1:{self.port}/').read()) > 0)
print('preload:', os.environ.get('LD_PRELOAD', 'none'))
''')

    def test_the_server_gets_the_library_and_the_client_does_not(self):
        data = self.json_of('-n', '1', '--timeout', '30', '--server', self.server,
                            '--ready', self.ready, '--check',
                            'grep -qx "preload: none"', self.client)
        self.assertEqual(data['server'][-1], str(self.port))
        self.assertEqual(len(data['runs']), 2)
        with socket.socket() as again:
            self.assertNotEqual(again.connect_ex(('127.0.0.1', self.port)), 0)

    def test_a_server_that_ends_at_once(self):
        result = self.ab('--server', 'false', '--ready', 'true', self.client)
        self.assert_stopped(result, 'arm A', 'the server', 'before it was ready', 'status 1')

    def test_a_server_that_goes_to_the_background(self):
        result = self.ab('--server', 'true', '--ready', 'false', self.client)
        self.assert_stopped(result, 'foreground', 'before it was ready')

    def test_a_server_that_is_never_ready(self):
        result = self.ab('--timeout', '0.5', '--server', 'sleep 300', '--ready', 'false',
                         self.client)
        self.assert_stopped(result, 'not ready within 0.5 s')

    def test_a_client_that_fails(self):
        result = self.ab('--server', 'sleep 300', '--ready', 'true', 'false')
        self.assert_stopped(result, 'the client', 'status 1')

    def test_a_client_that_takes_too_long(self):
        result = self.ab('--timeout', '0.5', '--server', 'sleep 300', '--ready', 'true',
                         'sleep', '300')
        self.assert_stopped(result, 'the client', '0.5 s')

    def test_a_server_that_does_not_heed_SIGTERM_is_killed(self):
        deaf = self.shell('deaf', 'trap "" TERM; while :; do sleep 0.1; done')
        environment = {'PATH': os.environ['PATH']}
        with unittest.mock.patch.object(server, 'GRACE_SECONDS', 0.2):
            _, ended, _ = server.run((deaf, [deaf], environment),
                                     ('/bin/sleep', ['sleep', '0.1'], environment), 'true', 30)
        self.assertEqual(ended.status, -signal.SIGKILL)


if __name__ == '__main__':
    support.main()
