"""Keeps the shape of a client's requests and nothing of their contents.

Structure, types, names of tools and fields, and short enumerations stay, since they are what a decoder meets. Texts become synthetic ones
of about the same length, ids become numbered ones (equal ids stay equal, so that results still belong to their calls), paths, pictures,
signatures and everything that tells of this machine become fixed ones.
"""

import datetime
import json
import re
import urllib.parse

from harness import FINAL, TEXT

WORDS = "lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam nonumy eirmod tempor invidunt ut labore ".split()
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
# Longer texts are cut to this; only descriptions of tools keep their length, because the upstream limits it.
LONGEST = 240
# Contents, whatever they look like.
CONTENTS = {"text", "content", "description", "instructions", "output", "input", "title", "message", "thinking", "patch", "definition"}
OPAQUE = {"signature", "encrypted_content", "thoughtSignature", "data"}
IDS = {"id", "call_id", "tool_use_id", "tool_call_id", "item_id", "user", "user_id", "prompt_cache_key", "session_id", "device_id"}
# Headers that say nothing to a server of ours, or name a secret or a session.
DROPPED = {"authorization", "x-api-key", "x-goog-api-key", "host", "content-length", "connection", "traceparent", "tracestate"}
TAG = re.compile(r"^<([a-z][a-z_-]*)>.*</\1>\s*$", re.S)
PLAIN = re.compile(r"[A-Za-z0-9$][A-Za-z0-9_.,:;=+*|/ -]{0,79}")
IDLIKE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-fA-F]{12,}|\d{9,}|_[A-Za-z0-9]{16,}")


def lorem(length):
    text = ""
    while len(text) < length:
        text += WORDS[len(text) % len(WORDS)] + " "
    return text[:length].strip() or "x"


class Shape:
    def __init__(self, desk):
        self.ids, self.places = {}, [str(desk.work), str(desk.home), str(desk.stack.folder)]
        self.key, self.target = desk.key, str(desk.target)

    def id(self, value):
        # A telling prefix such as `call_` or `toolu_` is part of the shape.
        prefix = re.match(r"(?:[a-z]{2,12}_){0,2}", value).group()
        return self.ids.setdefault(value, f"{prefix}{len(self.ids) + 1:024}")

    def text(self, value, longest=LONGEST):
        if value.startswith("x-anthropic-billing-header:"):
            return "x-anthropic-billing-header: cc_version=0.0.0.000; cc_entrypoint=sdk-cli;"
        if tag := TAG.match(value):
            return f"<{tag.group(1)}>{lorem(min(len(value), longest))}</{tag.group(1)}>"
        if value.strip() == FINAL or value == TEXT:
            return value
        return lorem(min(len(value), longest)) if value else ""

    def safe(self, value):
        """Whether a string is a plain word of the protocol and not of the person or the machine."""
        return (
            PLAIN.fullmatch(value)
            and len(value.split()) <= 1
            and not IDLIKE.search(value)
            and self.key not in value
            and "127.0.0.1" not in value
            and not value.startswith(("/", "~"))
            and not any(place in value for place in self.places)
        )

    def string(self, key, value, path):
        inside = value.strip()
        if inside[:1] in "{[" and inside:
            try:
                return json.dumps(self.value(key, json.loads(value), path), separators=(",", ":"))
            except ValueError:
                pass
        if value.startswith("data:"):
            return f"data:image/png;base64,{PIXEL}"
        if key in OPAQUE:
            return PIXEL if key == "data" else "c3ludGhldGlj"
        if key == "url" or ("://" in value and key not in CONTENTS):
            # The dialect of a schema is shape; another address is not.
            return value if key == "$schema" else "https://example.com/"
        if key in IDS or key.endswith(("_id", "Id")):
            return self.id(value) if value else value
        if key == "description":
            return self.text(value, len(value) if "parameters" not in path and len(value) > 9000 else LONGEST)
        if key in CONTENTS:
            return self.text(value)
        if self.safe(value):
            return value
        if value.startswith(("/", "~")) or any(place in value for place in self.places):
            return "/project/hello.txt" if self.target in value else "/project"
        return self.text(value)

    def value(self, key, value, path=()):
        if isinstance(value, dict):
            return {name: self.value(name, inner, (*path, key)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(key, inner, path) for inner in value]
        if isinstance(value, str):
            return self.string(key, value, path)
        return value

    def headers(self, headers):
        kept = {}
        for name, value in headers.items():
            name = name.lower()
            if name in DROPPED:
                continue
            if name == "user-agent":
                kept[name] = value
            elif "," in value and not value.startswith("{"):
                kept[name] = ",".join(part if self.safe(part.strip()) else "x" for part in value.split(","))
            else:
                kept[name] = self.string(name, value, ()) if not IDLIKE.search(value) else self.id(value)
        return dict(sorted(kept.items()))


def write(folder, name, version, requests, desk):
    """One file per request, in the order they came."""
    shape = Shape(desk)
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    place = folder / f"{name}-{version}-{today}"
    place.mkdir(parents=True)
    for number, request in enumerate((r for r in requests if r["method"] == "POST" and isinstance(r["body"], dict)), 1):
        path, _, query = request["path"].partition("?")
        shown = {
            "client": name,
            "version": version,
            "recorded": today,
            "path": path,
            "query": urllib.parse.urlencode([(k, v) for k, v in urllib.parse.parse_qsl(query) if k != "key"]),
            "headers": shape.headers(request["headers"]),
            "body": shape.value("", request["body"]),
        }
        text = json.dumps(shown, indent=1, ensure_ascii=False) + "\n"
        for secret in (desk.key, *shape.places):
            assert secret not in text, f"{name}: a transcript holds {secret}"
        (place / f"{number:03}.json").write_text(text)
