"""A small PetaSAN-like cluster: Ceph, Consul and a mail server, brought up side by side."""

import contextlib
import secrets
from concurrent.futures import ThreadPoolExecutor

from .ceph import Ceph
from .consul import Consul
from .mail import Mail

LOGIN = "storage"


class Cluster:
    """Four OSDs on two hosts, five nodes known to PetaSAN, mailboxes to read back."""

    def __init__(self, folder, *, mailboxes=("ops", "oncall", "admin")):
        self.folder = folder
        # Quotes and blanks, so that whoever hands it on has to do it properly.
        self.password = f'a "quoted" {secrets.token_hex(8)}'
        self.ceph = Ceph(folder / "ceph")
        self.consul = Consul(folder / "consul")
        self.mail = Mail(folder / "mail", accounts={LOGIN: self.password}, mailboxes=mailboxes)
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder.mkdir()
        with self._stack as stack:
            with ThreadPoolExecutor() as pool:
                parts = [self.ceph, self.consul, self.mail]
                starts = [pool.submit(stack.enter_context, part) for part in parts]
                for start in starts:
                    start.result()
            for node in self.consul.nodes:
                self.put_node(node)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def heal(self):
        """Undoes whatever was done to the parts."""
        with ThreadPoolExecutor() as pool:
            for healing in [pool.submit(part.heal) for part in (self.ceph, self.consul, self.mail)]:
                healing.result()

    def put_node(self, node):
        """Makes a node part of the cluster, as PetaSAN does when it joins."""
        address = self.consul.address_of(node)
        self.consul.put(
            f"PetaSAN/Nodes/{node}",
            {"name": node, "management_ip": address, "backend_1_ip": address, "is_storage": True},
        )

    def settings(self, *recipients):
        """The tables of a configuration file for this cluster.

        A recipient is a mailbox, or a mailbox and the list of its checks.
        """
        return {
            "cluster": {"name": "prod"},
            "ceph": {
                "conf": str(self.ceph.conf),
                "name": self.ceph.readonly_name,
                "keyring": str(self.ceph.readonly_keyring),
            },
            "consul": {"address": self.consul.url()},
            "smtp": {
                "host": self.mail.host,
                "port": self.mail.starttls_port,
                "security": "starttls",
                "from": f"PetaSAN <{self.mail.address(LOGIN)}>",
                "username": LOGIN,
                "ca_file": str(self.mail.ca_file),
            },
            "recipient": [self._recipient(recipient) for recipient in recipients],
        }

    def _recipient(self, recipient):
        if isinstance(recipient, str):
            return {"address": self.mail.address(recipient)}
        mailbox, checks = recipient
        return {"address": self.mail.address(mailbox), "checks": checks}
