"""What every client test needs: processes that always end, the stand-in upstream with a gateway before it, and a folder to work in."""

import base64
import json
import os
import pathlib
import secrets
import signal
import subprocess
import threading
import urllib.request

TASK = (
    "Create the file {path} with exactly this content: {text}. "
    "Use your tool for it. When it is written answer only: {final}"
)
TEXT, FINAL = "Hello-from-Kiro-Proxy", "TASK-COMPLETE"


SEARCH = f"Search the web for rust release notes. When you have the results answer only: {FINAL}"


class Failed(Exception):
    """A client did not do what it should; the message is for the reader of the test run."""


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
                    raise SystemExit(f"{self.name} ended early:\n{self.said()}")
                if needle in line:
                    return next(word for word in line.split() if needle in word)
            return None

        with self.waiting:
            word = self.waiting.wait_for(found, seconds)
        if not word:
            raise SystemExit(f"{self.name} never said {needle!r}:\n{self.said()}")
        return word.strip(".,'\"")

    def said(self):
        return "\n".join(filter(None, self.lines))

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
        self.base_url = self.gateway.expect("http://127.0.0.1:").rstrip("/")

    def run(self, *arguments):
        done = subprocess.run([self.binary, *arguments, "--json"], env=self.env, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(arguments)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def violations(self):
        return get(f"{self.sim_url}/__sim/violations")["violations"]

    def searches(self):
        """Searches that reached the stand-in, so far."""
        return sum(entry["operation"] == "InvokeMCP" for entry in get(f"{self.sim_url}/__sim/journal")["entries"])

    def stop(self):
        code = self.gateway.stop()
        if code != 0:
            raise SystemExit(f"the gateway ended with {code}:\n{self.gateway.said()}")
        self.simulator.stop()


class Desk:
    """Where one client works: a home of its own, an empty work folder, and the gateway's address as that client sees it."""

    def __init__(self, stack, name, base_url):
        self.stack, self.name, self.base_url, self.key = stack, name, base_url, stack.key
        self.home, self.work, self.temporary = (stack.folder / f"{name}-{part}" for part in ("home", "work", "tmp"))
        for folder in (self.home, self.work, self.temporary):
            folder.mkdir()
        self.target = self.work / "hello.txt"
        self.prompt = TASK.format(path=self.target, text=TEXT, final=FINAL)
        # Nothing of the person's own set-up or keys reaches a client.
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        self.env = kept | {"HOME": str(self.home), "TMPDIR": str(self.temporary)}

    def write(self, path, content):
        """A file of the client's set-up, below its home."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))

    def run(self, command, seconds=180, **env):
        done = subprocess.run(
            [str(part) for part in command],
            env=self.env | env,
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise Failed(f"ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def written(self, expected=TEXT):
        """The task is done only when the file is there, byte for byte."""
        if not self.target.exists():
            raise Failed(f"{self.target.name} was not written")
        found = self.target.read_bytes()
        if found != expected.encode():
            raise Failed(f"{self.target.name} holds {found!r}")

    def finished(self, output):
        """The client shows the final word, and it came after the tool's result."""
        if FINAL not in output:
            raise Failed(f"the final word is missing:\n{output[-4000:]}")
