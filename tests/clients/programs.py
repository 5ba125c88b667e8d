"""The programs that people use, each set up as its own documentation says, each given the same little task.

Facts about set-up come from runs of the programs themselves; a new version may need another set-up, and then fails here.
"""

import json
import pathlib

from harness import FINAL, SEARCH, TEXT, Failed


def first(folder, pattern):
    found = sorted(pathlib.Path(folder, "node_modules").glob(pattern))
    if not found:
        raise Failed(f"no {pattern} below {folder}: is this system served by the package?")
    return found[0]


def claude_code(desk, folder, model):
    """Claude Code creates the file with its own Write tool. The model's name decides the shape of its requests."""
    ask_claude_code(desk, folder, model, desk.prompt, "Write")
    desk.written()


def claude_code_search(desk, folder, model):
    """Its WebSearch tool is a request of its own, with a search that the gateway runs."""
    searched(desk, lambda: ask_claude_code(desk, folder, model, SEARCH, "WebSearch", ENABLE_TOOL_SEARCH="false"))


def searched(desk, work):
    before = desk.stack.searches()
    work()
    if desk.stack.searches() == before:
        raise Failed("no search reached the upstream")


def ask_claude_code(desk, folder, model, prompt, tool, **more):
    program = first(folder, "@anthropic-ai/claude-code-*/claude*")
    desk.write(".claude.json", {"hasCompletedOnboarding": True})
    env = more | {
        "ANTHROPIC_BASE_URL": desk.base_url,
        "ANTHROPIC_AUTH_TOKEN": desk.key,
        "ANTHROPIC_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    done = desk.run([program, "-p", prompt, "--allowedTools", tool, "--output-format", "json"], **env)
    answer = json.loads(done.stdout)
    answer = answer[-1] if isinstance(answer, list) else answer
    if answer["is_error"] or answer["result"].strip() != FINAL:
        raise Failed(json.dumps(answer)[:2000])


def codex(desk, folder, model, tail="", provider=True):
    """Codex; the model's name decides its tools. `provider` False takes the built-in one, which tries a WebSocket first."""
    program = first(folder, "@openai/codex-*/vendor/*/bin/codex")
    quiet = '\nweb_search = "disabled"\ncheck_for_update_on_startup = false\n\n[features]\nmulti_agent = false\ngoals = false\n\n[analytics]\nenabled = false\n'
    if provider:
        head = f'model = "{model}"\nmodel_provider = "kiro"' + quiet
        own = f'\n[model_providers.kiro]\nname = "Kiro Proxy"\nbase_url = "{desk.base_url}/v1"\nwire_api = "responses"\nexperimental_bearer_token = "{desk.key}"\n'
    else:
        head = f'model = "{model}"\nopenai_base_url = "{desk.base_url}/v1"' + quiet
        own = ""
        desk.write(".codex/auth.json", {"OPENAI_API_KEY": desk.key})
    desk.write(".codex/config.toml", head + own)
    command = [program, "exec", "--skip-git-repo-check", "--sandbox", "workspace-write", "-C", desk.work, desk.prompt]
    done = desk.run(command)
    desk.written(TEXT + tail)
    # The prompt is repeated on stderr; stdout has only the last message.
    desk.finished(done.stdout)
    if "Reconnecting" in done.stderr or "stream error" in done.stderr:
        raise Failed(f"it had to ask again:\n{done.stderr[-4000:]}")


def gemini_cli(desk, folder, model):
    ask_gemini_cli(desk, folder, model, desk.prompt)
    desk.written()


def gemini_cli_search(desk, folder, model):
    """Its google_web_search tool asks a model of its own choice, with googleSearch."""
    searched(desk, lambda: ask_gemini_cli(desk, folder, model, SEARCH))


def ask_gemini_cli(desk, folder, model, prompt):
    program = first(folder, "@google/gemini-cli/bundle/gemini.js")
    desk.write(
        ".gemini/settings.json",
        {
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "privacy": {"usageStatisticsEnabled": False},
            "general": {"disableAutoUpdate": True, "disableUpdateNag": True},
        },
    )
    env = {"GOOGLE_GEMINI_BASE_URL": desk.base_url, "GEMINI_API_KEY": desk.key}
    model_choice = ["-m", model] if model else []
    done = desk.run(["node", program, "--yolo", "--skip-trust", *model_choice, "-p", prompt], **env)
    desk.finished(done.stdout)


OPENCODE = {
    "chat": ("@ai-sdk/openai-compatible", "/v1"),
    "responses": ("@ai-sdk/openai", "/v1"),
    "anthropic": ("@ai-sdk/anthropic", "/v1"),
    "gemini": ("@ai-sdk/google", "/v1beta"),
}


def opencode(desk, folder, api):
    """opencode has one package for each of the four APIs; its readers are the strictest."""
    program = first(folder, "opencode-*/bin/opencode")
    package, path = OPENCODE[api]
    model = "claude-sonnet-4-5"
    desk.write(
        ".config/opencode/opencode.json",
        {
            "$schema": "https://opencode.ai/config.json",
            "model": f"kiro/{model}",
            "small_model": f"kiro/{model}",
            "autoupdate": False,
            "share": "disabled",
            "provider": {
                "kiro": {
                    "npm": package,
                    "name": "Kiro Proxy",
                    "options": {"baseURL": desk.base_url + path, "apiKey": desk.key},
                    "models": {model: {"name": "Claude Sonnet 4.5", "limit": {"context": 200000, "output": 32000}}},
                }
            },
        },
    )
    done = desk.run([program, "run", desk.prompt], OPENCODE_DISABLE_AUTOUPDATE="1", OPENCODE_DISABLE_LSP_DOWNLOAD="1", OPENCODE_DISABLE_MODELS_FETCH="1")
    desk.written()
    desk.finished(done.stdout)


def qwen_code(desk, folder, model):
    program = first(folder, "@qwen-code/qwen-code/cli.js")
    desk.write(".qwen/settings.json", {"privacy": {"usageStatisticsEnabled": False}, "general": {"disableAutoUpdate": True}})
    env = {"OPENAI_BASE_URL": f"{desk.base_url}/v1", "OPENAI_API_KEY": desk.key, "OPENAI_MODEL": model}
    done = desk.run(["node", program, "--yolo", "-p", desk.prompt], **env)
    desk.written()
    desk.finished(done.stdout)
