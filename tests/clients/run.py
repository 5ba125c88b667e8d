"""Starts the stand-in upstream and a real gateway, then lets real clients work through them.

Every client works twice: with whole writes by the stand-in, and with each of its TCP writes cut to 7 bytes. The two lanes run side by
side, each with a stand-in and a gateway of its own, so no more than two clients work at a time. After each client the stand-in must have
recorded no violation of the upstream's rules.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import programs
import transcripts
from harness import Desk, Failed, Stack
from recorder import Recorder

HERE = pathlib.Path(__file__).resolve().parent

# name, the package it comes from, how it is driven. The name of a transcript is the package's and its version.
PROGRAMS = {
    "claude-code-4.5": ("claude-code", lambda d, f: programs.claude_code(d, f, "claude-sonnet-4-5")),
    "claude-code-5": ("claude-code", lambda d, f: programs.claude_code(d, f, "claude-sonnet-5")),
    "claude-code-search": ("claude-code", lambda d, f: programs.claude_code_search(d, f, "claude-sonnet-4-5")),
    "codex": ("codex", lambda d, f: programs.codex(d, f, "claude-sonnet-4.5")),
    "codex-apply-patch": ("codex", lambda d, f: programs.codex(d, f, "gpt-5.5", tail="\n")),
    "codex-code-mode": ("codex", lambda d, f: programs.codex(d, f, "gpt-5.6-sol")),
    "codex-openai-base-url": ("codex", lambda d, f: programs.codex(d, f, "claude-sonnet-4.5", provider=False)),
    "gemini-cli": ("gemini-cli", lambda d, f: programs.gemini_cli(d, f, "claude-sonnet-4-5")),
    "gemini-cli-auto": ("gemini-cli", lambda d, f: programs.gemini_cli(d, f, None)),
    "gemini-cli-search": ("gemini-cli", lambda d, f: programs.gemini_cli_search(d, f, "claude-sonnet-4-5")),
    "opencode-chat": ("opencode", lambda d, f: programs.opencode(d, f, "chat")),
    "opencode-responses": ("opencode", lambda d, f: programs.opencode(d, f, "responses")),
    "opencode-anthropic": ("opencode", lambda d, f: programs.opencode(d, f, "anthropic")),
    "opencode-gemini": ("opencode", lambda d, f: programs.opencode(d, f, "gemini")),
    "qwen-code": ("qwen-code", lambda d, f: programs.qwen_code(d, f, "claude-sonnet-4-5")),
}
SCRIPTS = {
    "anthropic-python": "python/anthropic_sdk.py",
    "openai-python": "python/openai_sdk.py",
    "google-python": "python/google_sdk.py",
    "anthropic-typescript": "node/anthropic_sdk.mjs",
    "openai-typescript": "node/openai_sdk.mjs",
    "google-typescript": "node/google_sdk.mjs",
    # Second opinions on the stand-in itself: AWS's own client and AWS's own frame decoder.
    "aws-sdk": "aws-sdk/check.mjs",
    "botocore": "botocore/frames.py",
}
PACKAGES = {
    "claude-code": ("node", "@anthropic-ai/claude-code"),
    "codex": ("codex", "@openai/codex"),
    "gemini-cli": ("gemini-cli", "@google/gemini-cli"),
    "opencode": ("opencode", "opencode-ai"),
    "qwen-code": ("qwen-code", "@qwen-code/qwen-code"),
}


UNKNOWN = "no-such-model"


class Lane:
    """One way of writing, with processes of its own."""

    def __init__(self, arguments, folder, chunk):
        self.name = f"{chunk}-byte writes" if chunk else "whole writes"
        self.arguments, self.chunk, self.failed = arguments, chunk, []
        self.stack = Stack(arguments.binary, folder, chunk)
        self.seen = 0

    def run(self, names):
        for name in names:
            begin = time.monotonic()
            try:
                output = self.one(name)
                self.clean()
            except (Failed, AssertionError, subprocess.TimeoutExpired) as problem:
                self.failed.append(name)
                say(f"FAILED  {name}, {self.name}, {time.monotonic() - begin:.1f} s: {problem}")
            else:
                say(f"{output}  ok  {name}, {self.name}, {time.monotonic() - begin:.1f} s")

    def one(self, name):
        if name in SCRIPTS:
            return self.script(SCRIPTS[name])
        package, drive = PROGRAMS[name]
        folder = self.arguments.installed[PACKAGES[package][0]]
        # Only the lane with whole writes is recorded; cut ones change no request.
        recorder = Recorder(self.stack.base_url) if self.arguments.record and not self.chunk else None
        desk = Desk(self.stack, name, recorder.url if recorder else self.stack.base_url)
        try:
            drive(desk, folder)
        finally:
            if recorder:
                recorder.stop()
        if recorder:
            version = json.loads((folder / "node_modules" / PACKAGES[package][1] / "package.json").read_text())["version"]
            transcripts.write(self.arguments.record, name, version, recorder.requests, desk)
        return ""

    def script(self, source):
        runner = [sys.executable, str(HERE / source)]
        if source.endswith(".mjs"):
            # Node finds packages beside the script, so it was copied to where they are installed.
            runner = ["node", str(self.arguments.installed[source.split("/")[0]] / pathlib.Path(source).name)]
        env = os.environ | {"BASE_URL": self.stack.base_url, "KEY": self.stack.key, "SIM_URL": self.stack.sim_url}
        done = subprocess.run(runner, env=env, timeout=180, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed(f"{done.stdout}{done.stderr[-6000:]}")
        return done.stdout

    def clean(self):
        found = self.stack.violations()
        new, self.seen = found[self.seen :], len(found)
        # Names that nobody knows go upstream, so that new models work at once; the scripts ask for one such name on purpose.
        new = [violation for violation in new if not (violation["rule"] == "V23" and UNKNOWN in violation["detail"])]
        if new:
            raise Failed(f"the upstream's rules were broken:\n{json.dumps(new, indent=2)[:4000]}")

    def vault(self):
        """The vault this gateway has just written, read by a program that shares no code with it."""
        reader = [sys.executable, str(HERE.parent / "vault/read_vault.py")]
        subprocess.run([*reader, str(self.stack.folder / "data/vault"), self.stack.env["KIRO_PROXY_VAULT_KEY"]], check=True)


def say(text):
    # One write, so that two lanes do not mix within it.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--installed", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--room", required=True, help="where the clients' homes are made; not below the temporary folder, which Codex refuses")
    parser.add_argument("--record", type=pathlib.Path, help="write transcripts of the programs' requests below this folder")
    parser.add_argument("--whole-only", action="store_true", help="only the lane with whole writes")
    parser.add_argument("clients", nargs="*", help="only clients whose name begins so")
    arguments = parser.parse_args()
    arguments.installed = {name: pathlib.Path(folder) for name, folder in (pair.split("=", 1) for pair in arguments.installed)}
    every = [*PROGRAMS, *SCRIPTS] if not arguments.record else list(PROGRAMS)
    wanted = [name for name in every if not arguments.clients or name.startswith(tuple(arguments.clients))]
    if not wanted:
        raise SystemExit(f"no such client; there are: {', '.join(every)}")
    for source in SCRIPTS.values():
        if source.endswith(".mjs"):
            shutil.copy(HERE / source, arguments.installed[source.split("/")[0]])
    subprocess.run([sys.executable, str(HERE.parent / "vault/read_vault.py"), "--self-test"], check=True)
    pathlib.Path(arguments.room).mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    lanes = []
    with tempfile.TemporaryDirectory(prefix="kiro-proxy-clients-", dir=arguments.room) as room:
        try:
            for chunk in (None,) if arguments.record or arguments.whole_only else (None, 7):
                folder = pathlib.Path(room, str(chunk or "whole"))
                folder.mkdir()
                lanes.append(Lane(arguments, folder, chunk))
            threads = [threading.Thread(target=lane.run, args=(wanted,)) for lane in lanes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for lane in lanes:
                lane.vault()
        finally:
            for lane in lanes:
                lane.stack.stop()
    failed = [f"{name} ({lane.name})" for lane in lanes for name in lane.failed]
    passed = len(wanted) * len(lanes) - len(failed)
    print(f"\n{passed} passed, {len(failed)} failed, in {time.monotonic() - begin:.0f} s")
    if failed:
        raise SystemExit("failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()
