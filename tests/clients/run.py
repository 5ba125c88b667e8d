"""Starts the stand-in upstream and a real gateway, then lets real clients work through them.

Every client runs twice: with whole writes by the stand-in, and with each of its TCP writes cut to 7 bytes. At the end of each
round the stand-in must have recorded no rule violation.
"""

import argparse
import base64
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TASK = (
    "Create the file {path} with exactly this content: {text}. "
    "Use your tool for it. When it is written answer only: {final}"
)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


class Process:
    """A child whose output is watched line by line; always ended with the test."""

    def __init__(self, name, command, env):
        self.name, self.lines, self.waiting = name, [], threading.Condition()
        self.child = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            with self.waiting:
                self.lines.append(line.rstrip())
                self.waiting.notify_all()
        with self.waiting:
            self.lines.append(None)
            self.waiting.notify_all()

    def expect(self, needle, seconds=60):
        """The first word of the output that contains `needle`."""

        def found():
            for line in self.lines:
                if line is None:
                    raise SystemExit(f"{self.name} ended early:\n" + "\n".join(filter(None, self.lines)))
                if needle in line:
                    return next(word for word in line.split() if needle in word)
            return None

        with self.waiting:
            word = self.waiting.wait_for(found, seconds)
        if not word:
            raise SystemExit(f"{self.name} never said {needle!r}:\n" + "\n".join(filter(None, self.lines)))
        return word.strip(".,'\"")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(40)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise SystemExit(f"{self.name} did not stop on SIGTERM")
        return self.child.returncode


class Stack:
    """The stand-in upstream, a gateway with one imported account, and a client key."""

    def __init__(self, binary, folder, chunk):
        self.binary, self.folder = binary, folder
        chunks = ["--chunk", str(chunk)] if chunk else []
        base = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        base["HOME"] = str(folder / "home")
        (folder / "home").mkdir()
        self.simulator = Process("simulator", [binary, "simulate", "--port", "0", *chunks], base)
        self.sim_url = self.simulator.expect("http://127.0.0.1:")
        self.env = base | {
            "KIRO_PROXY_ENDPOINTS": self.sim_url,
            "KIRO_PROXY_DATA_DIR": str(folder / "data"),
            "KIRO_PROXY_VAULT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        login = folder / "kiro-auth-token.json"
        login.write_text(json.dumps(get(f"{self.sim_url}/__sim/credentials")))
        self.run("accounts", "import", str(login))
        self.key = self.run("keys", "create", "client-tests")["secret"]
        self.gateway = Process("gateway", [binary, "serve", "--port", "0"], self.env)
        self.base_url = self.gateway.expect("http://127.0.0.1:")

    def run(self, *arguments):
        done = subprocess.run([self.binary, *arguments, "--json"], env=self.env, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(arguments)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def clean(self, what):
        violations = get(f"{self.sim_url}/__sim/violations")
        violations = violations.get("violations", violations) if isinstance(violations, dict) else violations
        if violations:
            raise SystemExit(f"{what}: the upstream's rules were broken:\n{json.dumps(violations, indent=2)[:4000]}")

    def stop(self):
        code = self.gateway.stop()
        if code != 0:
            raise SystemExit(f"the gateway ended with {code}:\n" + "\n".join(filter(None, self.gateway.lines)))
        self.simulator.stop()


def claude_code(stack, node, model):
    """Claude Code, headless, creates a file with its own Write tool. The model's name decides the shape of its requests."""
    name = f"claude-{model}"
    home, work = stack.folder / f"{name}-home", stack.folder / f"{name}-work"
    home.mkdir()
    work.mkdir()
    target = work / "hello.txt"
    text, final = "Hello-from-Kiro-Proxy", "TASK-COMPLETE"
    program = next(pathlib.Path(node, "node_modules/@anthropic-ai").glob("claude-code-*/claude*"))
    (home / ".claude.json").write_text(json.dumps({"hasCompletedOnboarding": True}))
    env = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ} | {
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": stack.base_url,
        "ANTHROPIC_AUTH_TOKEN": stack.key,
        "ANTHROPIC_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    command = [program, "-p", TASK.format(path=target, text=text, final=final), "--allowedTools", "Write", "--output-format", "json"]
    done = subprocess.run(command, env=env, cwd=work, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SystemExit(f"Claude Code ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    assert target.read_bytes() == text.encode(), target.read_bytes()
    answer = json.loads(done.stdout)
    answer = answer[-1] if isinstance(answer, list) else answer
    assert answer["is_error"] is False and answer["result"].strip() == final, answer
    print(f"  ok  Claude Code with {model} wrote {target.name}: {len(text)} bytes, answer complete", flush=True)


def script(command, stack, **more):
    env = os.environ | {"BASE_URL": stack.base_url, "KEY": stack.key, "SIM_URL": stack.sim_url} | more
    done = subprocess.run(command, env=env, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{command} failed with {done.returncode}")


def node_script(source, modules):
    """Node finds packages beside the script, so it is run from where they are installed."""
    copy = pathlib.Path(modules) / source.name
    shutil.copyfile(source, copy)
    return ["node", str(copy)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--aws", required=True)
    arguments = parser.parse_args()
    subprocess.run([sys.executable, str(HERE.parent / "vault/read_vault.py"), "--self-test"], check=True)
    for chunk in (None, 7):
        print(f"\nUpstream writes: {'whole' if chunk is None else f'{chunk} bytes at a time'}", flush=True)
        with tempfile.TemporaryDirectory(prefix="kiro-proxy-clients-") as folder:
            stack = Stack(arguments.binary, pathlib.Path(folder), chunk)
            try:
                for model in ("claude-sonnet-4-5", "claude-sonnet-5"):
                    claude_code(stack, arguments.node, model)
                stack.clean("Claude Code")
                script([sys.executable, str(HERE / "python/sdk.py")], stack)
                script(node_script(HERE / "node/sdk.mjs", arguments.node), stack)
                stack.clean("the Anthropic SDKs")
                # Second opinions on the stand-in itself: AWS's own client and AWS's own frame decoder.
                aws = next((HERE / "aws-sdk").glob("*.mjs"))
                script(node_script(aws, arguments.aws), stack)
                script([sys.executable, str(HERE / "botocore/frames.py")], stack)
                stack.clean("AWS's client")
                # The vault this gateway has just written, read by a program that shares no code with it.
                reader = [sys.executable, str(HERE.parent / "vault/read_vault.py")]
                script([*reader, str(stack.folder / "data/vault"), stack.env["KIRO_PROXY_VAULT_KEY"]], stack)
            finally:
                stack.stop()
        print("  ok  no rule of the upstream was broken", flush=True)


if __name__ == "__main__":
    main()
