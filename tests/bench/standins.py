"""Stand-ins of any size for Ceph and Consul, made of answers that real ones gave."""

import base64
import copy
import http.server
import json
import threading
import uuid
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
RELEASE = FIXTURES / "ceph" / "20.2.4"

# What real clusters weigh an OSD of 8 TB with; the recorded ones are tiny.
CRUSH_WEIGHT = 7.277589797973633
OSD_BYTES = 8_001_427_603_456

# serf.MemberStatus
ALIVE, FAILED = 1, 4


def recorded(path):
    """A recorded answer."""
    return json.loads(path.read_text())


def compact(document):
    """As Ceph prints it and Consul sends it: without blanks."""
    return json.dumps(document, separators=(",", ":"))


def osd_tree(hosts, osds_per_host, down):
    """The answer to `ceph osd tree`: so many OSDs are down, the first ones of each host in turn."""
    entries = recorded(RELEASE / "osd-tree.device-classes.json")["nodes"]
    root, host, osd = (
        next(entry for entry in entries if entry["type"] == kind) for kind in ("root", "host", "osd")
    )
    nodes = [{**root, "children": [-2 - number for number in range(hosts)]}]
    for number in range(hosts):
        ids = range(number * osds_per_host, (number + 1) * osds_per_host)
        nodes.append({**host, "id": -2 - number, "name": node_name(number), "children": list(ids)[::-1]})
        for place, osd_id in enumerate(ids):
            nodes.append(
                {
                    **osd,
                    "id": osd_id,
                    "name": f"osd.{osd_id}",
                    "device_class": "hdd",
                    "crush_weight": CRUSH_WEIGHT,
                    "status": "down" if place * hosts + number < down else "up",
                }
            )
    return "\n" + compact({"nodes": nodes, "stray": []}) + "\n"


def status(osds, down):
    """The answer to `ceph status` of a cluster that is half full."""
    answer = recorded(RELEASE / f"status.{'two-osds-down' if down else 'healthy'}.json")
    answer["osdmap"].update(num_osds=osds, num_up_osds=osds - down, num_in_osds=osds)
    total = osds * OSD_BYTES
    answer["pgmap"].update(bytes_total=total, bytes_used=total // 2, bytes_avail=total - total // 2)
    return "\n" + compact(answer) + "\n"


def node_name(number):
    """A node's name in Ceph and Consul."""
    return f"storage-{number + 1:04}"


def address(number):
    """A node's address in the network 10.0.0.0/8."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def members(nodes, failed):
    """The answer to `/v1/agent/members`: three servers and clients, the last ones failed."""
    known = recorded(FIXTURES / "consul" / "members.all-alive.json")
    server = next(member for member in known if member["Tags"]["role"] == "consul")
    client = next(member for member in known if member["Tags"]["role"] == "node")
    answer = []
    for number in range(nodes):
        member = copy.deepcopy(server if number < 3 else client)
        member.update(
            Name=node_name(number),
            Addr=address(number),
            Status=FAILED if number >= nodes - failed else ALIVE,
        )
        member["Tags"]["id"] = str(uuid.UUID(int=number))
        answer.append(member)
    return compact(answer)


def node_keys(nodes):
    """The answer to `/v1/kv/PetaSAN/Nodes/?recurse`, the values with every field that PetaSAN writes."""
    entry = recorded(FIXTURES / "consul" / "kv-nodes.json")[0]
    answer = []
    for number in range(nodes):
        value = {
            "backend_1_ip": address(number),
            "backend_2_ip": address(number),
            "is_backup": False,
            "is_iscsi": True,
            "is_management": number < 3,
            "is_storage": True,
            "management_ip": address(number),
            "name": node_name(number),
        }
        encoded = base64.b64encode(json.dumps(value).encode()).decode()
        answer.append({**entry, "Key": f"PetaSAN/Nodes/{value['name']}", "Value": encoded})
    return compact(answer)


class Cluster:
    """A `ceph` and a Consul agent that give these answers until the next ones are set."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.script = folder / "ceph"
        self.script.write_text(
            f'#!/bin/sh\ncase "$*" in *"osd tree"*) exec /bin/cat {folder}/tree ;; esac\n'
            f"exec /bin/cat {folder}/status\n"
        )
        self.script.chmod(0o755)
        self.answers = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def become(self, *, hosts, osds_per_host, nodes, osds_down=0, nodes_down=0):
        """Sets all answers to those of such a cluster and returns them."""
        osds = hosts * osds_per_host
        answers = {
            "status": status(osds, osds_down),
            "tree": osd_tree(hosts, osds_per_host, osds_down),
            "/v1/agent/members": members(nodes, nodes_down),
            "/v1/kv/PetaSAN/Nodes/?recurse": node_keys(nodes),
        }
        for name in ("status", "tree"):
            (self.folder / name).write_text(answers[name])
        self.answers = {path: answer.encode() for path, answer in answers.items()}
        return list(answers.values())

    def settings(self, relay_port):
        """The configuration that asks these and mails to a server on this port."""
        return {
            "cluster": {"name": "prod"},
            "ceph": {"command": [str(self.script)], "via": "cli"},
            "consul": {"address": f"http://127.0.0.1:{self.server.server_port}"},
            "smtp": {
                "host": "127.0.0.1",
                "port": relay_port,
                "security": "none",
                "from": "PetaSAN <storage@example.org>",
            },
            "recipient": [{"address": "ops@example.org"}],
        }

    def _handler(self):
        cluster = self

        class Agent(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body in one segment: else Nagle's algorithm waits for an acknowledgement between them.
            wbufsize = -1

            def do_GET(self):
                body = cluster.answers.get(self.path, b"")
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Agent
