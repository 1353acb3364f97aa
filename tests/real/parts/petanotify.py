"""The built petanotify with a configuration, a state and a log of its own."""

import base64
import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

# A pass ends itself long before; this only keeps a hanging one from hanging the tests.
RUN_LIMIT_S = 120


def binary():
    """The release build in cargo's build folder, or what $PETANOTIFY names."""
    if "PETANOTIFY" in os.environ:
        return Path(os.environ["PETANOTIFY"]).resolve()
    root = Path(__file__).resolve().parents[3]
    build = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    return build / "release" / "petanotify"


class Run:
    """One run of the program: what was called and everything that came of it."""

    def __init__(self, arguments, result):
        self.arguments = arguments
        self.status = result.returncode
        self.stdout = result.stdout.decode(errors="replace")
        self.stderr = result.stderr.decode(errors="replace")

    @property
    def json(self):
        """Standard output as the one JSON document that it is."""
        return json.loads(self.stdout)

    def __str__(self):
        return (
            f"$ petanotify {shlex.join(self.arguments)}\n(exit {self.status})\n"
            f"--- stdout\n{self.stdout}--- stderr\n{self.stderr}"
        )


class Petanotify:
    """Runs petanotify on the given parts.

    `settings` are the tables of the configuration file, as a test may change them between
    runs; None stands for a file that says nothing. `secrets` are texts that must appear
    nowhere but in the configuration.
    """

    def __init__(self, folder, settings, *, environment=None, secrets=()):
        self.folder = folder
        self.settings = settings
        self.environment = environment or {}
        self.secrets = secrets
        self.runs = []
        self.config = folder / "petanotify.toml"
        self.state_file = folder / "state" / "state.json"
        folder.mkdir()

    def command(self, *arguments):
        """The command line with these arguments; the configuration is that of the last run."""
        return [binary(), "--config", self.config, "--state", self.state_file, *arguments]

    def run(self, *arguments):
        """Runs it with these arguments, whatever its exit status, and returns the Run."""
        result = subprocess.run(
            self.command(*arguments), capture_output=True, timeout=RUN_LIMIT_S, **self._setting()
        )
        self.runs.append(Run(arguments, result))
        return self.runs[-1]

    def start(self, log, *arguments):
        """Starts it with these arguments and returns the process; what it says goes to the file `log`."""
        with open(log, "ab") as output:
            return subprocess.Popen(
                self.command(*arguments), stdout=output, stderr=output, **self._setting()
            )

    def _setting(self):
        """How it is run, with the configuration of now."""
        self.config.write_text(to_toml(self.settings or {}))
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}
        return {
            "stdin": subprocess.DEVNULL,
            "env": {**environment, **self.environment},
            "cwd": self.folder,
        }

    def write_secret(self, name, text):
        """Writes a file that only its owner may read and returns its path."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def state(self):
        """The document in the state file."""
        return json.loads(self.state_file.read_text())

    def state_mode(self):
        """The state file's permissions."""
        return stat.S_IMODE(self.state_file.stat().st_mode)

    def leaks(self):
        """Where a secret can be read, other than in the files that are made to hold it."""
        places = {f"output of {shlex.join(run.arguments)}": str(run) for run in self.runs}
        for path in self.state_file.parent.glob("state.json*"):
            places[path.name] = path.read_text(errors="replace")
        spellings = self._spellings()
        return [name for name, text in places.items() if any(word in text for word in spellings)]

    def _spellings(self):
        """The secrets as they are, within JSON, and as SMTP's AUTH LOGIN sends them."""
        quoted = [json.dumps(secret)[1:-1] for secret in self.secrets]
        encoded = [base64.b64encode(secret.encode()).decode() for secret in self.secrets]
        return [*self.secrets, *quoted, *encoded]

    def report(self):
        """Everything there is to know when something was not as expected."""
        parts = [
            f"--- {self.config}",
            self.config.read_text() if self.config.exists() else "(none)",
        ]
        parts += [str(run) for run in self.runs]
        parts += ["--- files"]
        parts += [
            f"{stat.filemode(path.lstat().st_mode)} {path.lstat().st_size:7} {path}"
            for path in sorted(self.folder.rglob("*"))
        ]
        if self.state_file.exists():
            parts += [f"--- {self.state_file}", self.state_file.read_text(errors="replace")]
        return self._masked("\n".join(parts))

    def _masked(self, text):
        for spelling in self._spellings():
            text = text.replace(spelling, "(secret)")
        return text


def to_toml(tables):
    """Writes tables of plain values, and lists of such tables, as TOML."""
    lines = []
    for name, table in tables.items():
        several = isinstance(table, list)
        for entry in table if several else [table]:
            lines.append(f"[[{name}]]" if several else f"[{name}]")
            # JSON's strings, numbers, booleans and lists are TOML's as well.
            lines += [
                f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()
            ]
            lines.append("")
    return "\n".join(lines)
