#!/usr/bin/env python3
"""The HTML parts of tests/golden as a browser shows them: light and dark, as wide as a telephone and as a desk.

Leaves a picture of each in target/screens for a person to look at, and fails where a part asks the network for anything,
has to be scrolled sideways, is too large, or is hard to read. With --readme it draws the picture of the README anew.
"""

import os
import sys
import tomllib
from pathlib import Path

sys.dont_write_bytecode = True

from browser import Browser  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"
PICTURES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "screens"
README_PICTURE = ROOT / "packaging/pictures/mail.png"
README_STORY = "osds-updated"
WIDTHS = (360, 1200)
SCHEMES = ("light", "dark")
# Gmail cuts off what is larger.
MOST_BYTES = 100_000
# WCAG 2.2, success criterion 1.4.3.
LEAST_CONTRAST = 4.5

# Every text that is hard to read before what lies behind it, by the formula of WCAG 2.2; the signs in the squares only
# repeat what the words beside them say.
FAINT = """
(() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  for (let text; text = walker.nextNode();) {
    const node = text.parentElement;
    if (!text.data.trim() || node.closest("[aria-hidden]")) continue;
    const [one, other] = [light(getComputedStyle(node).color), light(behind(node))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < %s) faint.push(`${contrast.toFixed(2)}: ${text.data.trim()}`);
  }
  return faint;
})()
""" % LEAST_CONTRAST

WIDEST = "Math.max(document.documentElement.scrollWidth, ...[...document.body.querySelectorAll('*')].map(e => e.getBoundingClientRect().right))"
GROUND = "getComputedStyle(document.body).backgroundColor"


def version():
    with open(ROOT / "Cargo.toml", "rb") as manifest:
        return tomllib.load(manifest)["package"]["version"]


def stories():
    """The names of the parts and the parts, as they are sent."""
    return {path.stem: path.read_text().replace("VERSION", version()) for path in sorted(GOLDEN.glob("*.html"))}


def faults(page, name, html):
    """Whatever is wrong with a part."""
    found = []
    if len(html.encode()) >= MOST_BYTES:
        found.append(f"{len(html.encode())} bytes")
    grounds = {}
    for width in WIDTHS:
        for scheme in SCHEMES:
            requests = page.show(html, width, scheme)
            (PICTURES / f"{name}-{width}-{scheme}.png").write_bytes(page.picture())
            where = f"{width} px, {scheme}: "
            found += [f"{where}asks for {url}" for url in requests]
            widest = page.evaluate(WIDEST)
            if widest > width + 0.5:
                found.append(f"{where}is {widest:.0f} px wide")
            found += [f"{where}a contrast of {text}" for text in page.evaluate(FAINT)]
            grounds[scheme] = page.evaluate(GROUND)
    if grounds["light"] == grounds["dark"]:
        found.append(f"light and dark are both {grounds['light']}")
    return found


def the_test_can_fail(page):
    """What a part is tested for is found where it is."""
    bad = (
        "<!DOCTYPE html><body style='background: #fff'><img src='http://127.0.0.1:9/x.png'>"
        "<p style='width: 500px; color: #ccc'>faint</p>"
    )
    requests = page.show(bad, 360, "light")
    return requests == ["http://127.0.0.1:9/x.png"] and page.evaluate(WIDEST) > 500 and len(page.evaluate(FAINT)) == 1


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    parts = stories()
    failed = 0
    with Browser() as browser:
        page = browser.page()
        if sys.argv[1:] == ["--readme"]:
            page.show(parts[README_STORY], 680, "light")
            README_PICTURE.parent.mkdir(parents=True, exist_ok=True)
            README_PICTURE.write_bytes(page.picture())
            return 0
        results = {"the test itself": [] if the_test_can_fail(page) else ["finds no fault where there are three"]}
        results |= {name: faults(page, name, html) for name, html in parts.items()}
    for name, found in results.items():
        failed += bool(found)
        for fault in found:
            print(f"{name}: {fault}")
    print(f"pictures are in {PICTURES}")
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not parts else 0


if __name__ == "__main__":
    sys.exit(main())
