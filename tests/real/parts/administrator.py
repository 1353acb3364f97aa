#!/usr/bin/python3
"""A Ceph cluster's administrator, who stays connected: starting the `ceph` command anew for each question costs a hundred
times as much.

A process of its own, since Ceph's modules are for Debian's Python, which need not be the one that the tests run under.
Takes the path of a ceph.conf. Each line of standard input is a list in JSON, its first word what to do; each line of
standard output the answer, or what was complained of. Ends with standard input.
"""

import functools
import json
import os
import sys

import ceph_argparse
import rados

# A monitor or an OSD that does not answer within this time will not.
LIMIT_S = 60


class Administrator:
    """What can be asked of it: its methods `command` and `write`."""

    def __init__(self, conf):
        limits = {name: str(LIMIT_S) for name in ("rados_mon_op_timeout", "rados_osd_op_timeout")}
        self.cluster = rados.Rados(name="client.admin", conffile=conf, conf=limits)
        self.cluster.connect(timeout=LIMIT_S)
        known = self.send({"prefix": "get_command_descriptions"})
        self.commands = ceph_argparse.parse_json_funcsigs(known, "cli")

    def command(self, words, how):
        """What is answered to these words after `ceph`; `how` is sent with them, such as the format."""
        return self.send(self.meant(*words) | how)

    # Looking through all commands takes longer than most answers, and whoever waits asks the same again and again.
    @functools.cache
    def meant(self, *words):
        meant = ceph_argparse.validate_command(self.commands, list(words))
        if not meant:
            raise ValueError("there is no such command")
        return meant

    def send(self, meant):
        status, answer, said = ceph_argparse.json_command(self.cluster, argdict=meant)
        if status != 0:
            raise OSError(-status, said)
        return answer.decode()

    def write(self, pool, objects, size):
        """Writes objects with these names, each of `size` bytes."""
        payload = os.urandom(size)
        with self.cluster.open_ioctx(pool) as there:
            for name in objects:
                there.write_full(name, payload)


def main(conf):
    # What librados or a module prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    administrator = Administrator(conf)
    for line in sys.stdin:
        task, *arguments = json.loads(line)
        try:
            outcome = {"answer": getattr(administrator, task)(*arguments)}
        except Exception as error:
            outcome = {"complaint": f"{type(error).__name__}: {error}"}
        print(json.dumps(outcome), file=answers, flush=True)
    # Without a good-bye, which would wait for a monitor that is gone.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
