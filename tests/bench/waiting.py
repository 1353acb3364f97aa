"""A petanotify with any number of waiting mails, made of one mail that it left in its queue itself."""

import json
import shutil
import sys
import zlib

from parts.petanotify import Petanotify
from standins import Cluster


class Waiting:
    """A petanotify whose cluster has an OSD down and whose mail server was not there in its first pass."""

    def __init__(self, folder, relay_port):
        folder.mkdir()
        self.cluster = Cluster(folder / "cluster")
        self.cluster.become(hosts=3, osds_per_host=4, nodes=5, osds_down=1)
        settings = self.cluster.settings(relay_port)
        self.petanotify = Petanotify(folder / "petanotify", settings)
        first = self.petanotify.run("check")
        if first.status != 1:
            sys.exit(str(first))
        self.state = self.petanotify.state()
        # What waits for those who are no recipients any more would be dropped, but not while nobody is known at all.
        del self.petanotify.settings["recipient"]
        self.petanotify.run("queue", "list")

    def with_mails(self, number):
        """The state with its one mail to so many recipients."""
        mail = self.state["queue"][0]
        queue = [{**mail, "id": f"{n:012x}", "to": f"admin{n}@example.org"} for n in range(number)]
        document = {**self.state, "queue": queue}
        document.pop("checksum", None)
        return document

    def restore(self, text):
        """Puts this state in place, and nothing of what passes since have left beside it."""
        folder = self.petanotify.state_file.parent
        shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        self.petanotify.state_file.write_bytes(text)


def sealed(document):
    """The document as petanotify writes it, with its checksum."""
    body = json.dumps(document, indent=2, ensure_ascii=False).encode().removesuffix(b"\n}")
    return body + f',\n  "checksum": "{zlib.crc32(body):08x}"\n}}\n'.encode()
