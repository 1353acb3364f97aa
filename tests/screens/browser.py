"""A headless Chromium, driven through a pipe by the DevTools protocol; it fetches nothing from anywhere."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    # Whatever a page might ask for, it gets no answer.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
]


class Browser:
    def __init__(self):
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise FileNotFoundError("no Chromium: tests/real/install installs it")
        self.profile = tempfile.mkdtemp(prefix="petanotify-browser.")
        to_browser, self.requests = os.pipe()
        self.answers, from_browser = os.pipe()
        # The browser reads from its descriptor 3 and writes to 4.
        low = os.fdopen(os.dup(to_browser), "rb"), os.fdopen(os.dup(from_browser), "wb")
        source, sink = (end.fileno() for end in low)
        self.process = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                f'exec "$@" 3<&{source} 4>&{sink}',
                "sh",
                program,
                *OPTIONS,
                f"--user-data-dir={self.profile}",
            ],
            pass_fds=(source, sink),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in low:
            end.close()
        os.close(to_browser)
        os.close(from_browser)
        self.number = 0
        self.unread = b""
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.requests)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _message(self):
        while b"\0" not in self.unread:
            more = os.read(self.answers, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self.unread += more
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        """The answer to one request; what happens meanwhile is kept in `events`."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        os.write(self.requests, json.dumps(request).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def page(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session)


class Page:
    def __init__(self, browser, session):
        self.browser = browser
        self.session = session
        self.call("Page.enable")
        self.call("Network.enable")
        self.frame = self.call("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def call(self, method, **parameters):
        return self.browser.call(method, session=self.session, **parameters)

    def show(self, html, width, scheme):
        """Shows a document in a window of this width, light or dark; returns what it asked the network for."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=2 if width < 600 else 1,
            mobile=width < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.browser.events.clear()
        self.call("Page.setDocumentContent", frameId=self.frame, html=html)
        # Two frames later all is laid out and painted.
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        requests = [event for event in self.browser.events if event.get("method") == "Network.requestWillBeSent"]
        return [request["params"]["request"]["url"] for request in requests]

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def picture(self):
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])
