"""The official Google Gen AI SDK for Python against the gateway: whole, stream, tools, chat, output format, counts, errors.

Environment: BASE_URL and KEY of the gateway. Exits non-zero at the first surprise.
"""

import json
import os

from google import genai
from google.genai import errors as genai_errors
from google.genai import types

BASE, KEY = os.environ["BASE_URL"], os.environ["KEY"]
MODEL = "claude-sonnet-4.6"

SCHEMA = {
    "type": "object",
    "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
    "required": ["file_path", "content"],
}
WRITE = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="write_file", description="Write a file.", parameters_json_schema=SCHEMA)
    ]
)
ASK = (
    "Create the file notes.txt with exactly this content: alpha. "
    "Use your tool for it. When it is written answer only: FINISHED"
)
WISH = {"file_path": "notes.txt", "content": "alpha"}


def make(key=KEY, **options):
    # No retries: an error must be seen as it is.
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=BASE, **options))


client = make()
older = make(api_version="v1beta")


def by_hand(**more):
    return types.GenerateContentConfig(
        tools=[WRITE], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True), **more
    )


def whole():
    for each in (client, older):
        answer = each.models.generate_content(model=MODEL, contents="SAY: Grüße, 你好 👋")
        assert answer.text == "Grüße, 你好 👋", answer
        assert answer.candidates[0].finish_reason == types.FinishReason.STOP, answer
        assert answer.usage_metadata.prompt_token_count > 0 and answer.usage_metadata.candidates_token_count > 0, answer


def stream():
    config = types.GenerateContentConfig(system_instruction="Be brief.", temperature=0.5, max_output_tokens=500)
    pieces, last = [], None
    for chunk in client.models.generate_content_stream(model=MODEL, contents="SAY: one two three four", config=config):
        pieces.append(chunk.text or "")
        last = chunk
    assert "".join(pieces) == "one two three four" and len([p for p in pieces if p]) > 1, pieces
    assert last.candidates[0].finish_reason == types.FinishReason.STOP and last.usage_metadata.total_token_count > 0, last


def tools():
    question = types.Content(role="user", parts=[types.Part(text=ASK)])
    calls, parts = [], []
    for chunk in client.models.generate_content_stream(model=MODEL, contents=[question], config=by_hand()):
        calls += chunk.function_calls or []
        parts += (chunk.candidates[0].content and chunk.candidates[0].content.parts) or []
    (call,) = calls
    assert call.name == "write_file" and call.args == WISH, call
    result = types.FunctionResponse(id=call.id, name=call.name, response={"output": "written"})
    contents = [
        question,
        types.Content(role="model", parts=parts),
        types.Content(role="user", parts=[types.Part(function_response=result)]),
    ]
    last = client.models.generate_content(model=MODEL, contents=contents, config=by_hand())
    assert last.text.strip() == "FINISHED", last


def tools_by_the_sdk():
    """The SDK calls the function itself and sends its result back."""
    seen = []

    def write_file(file_path: str, content: str) -> str:
        """Write a file."""
        seen.append({"file_path": file_path, "content": content})
        return "written"

    config = types.GenerateContentConfig(tools=[write_file])
    answer = client.models.generate_content(model=MODEL, contents=ASK, config=config)
    assert seen == [WISH] and answer.text.strip() == "FINISHED", (seen, answer)


def chat():
    session = client.chats.create(model=MODEL)
    assert session.send_message("SAY: first turn").text == "first turn"
    assert "".join(c.text or "" for c in session.send_message_stream("SAY: second turn")) == "second turn"


def output_format():
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "people": {"type": "INTEGER"}}, "required": ["city", "people"]}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
    answer = client.models.generate_content(model=MODEL, contents="Which city is it?", config=config)
    found = json.loads(answer.text)
    assert isinstance(found["city"], str) and isinstance(found["people"], int), found


def count():
    assert client.models.count_tokens(model=MODEL, contents="hello " * 1000).total_tokens > 500


def models():
    names = [model.name for model in client.models.list()]
    assert f"models/{MODEL}" in names, names
    assert client.models.get(model=MODEL).name == f"models/{MODEL}"


def fails(status, ask):
    try:
        ask()
    except genai_errors.APIError as error:
        assert error.code == status and error.message and error.status, (error, error.details)
        return
    raise AssertionError(f"an error {status} was due")


def errors():
    stranger = make("kp-wrong")
    fails(401, lambda: stranger.models.generate_content(model=MODEL, contents="SAY: x"))
    fails(401, lambda: list(stranger.models.generate_content_stream(model=MODEL, contents="SAY: x")))
    fails(404, lambda: client.models.generate_content(model="no-such-model", contents="SAY: x"))
    fails(404, lambda: list(client.models.generate_content_stream(model="no-such-model", contents="SAY: x")))
    wrong = [types.Content(role="user", parts=[])]
    fails(400, lambda: client.models.generate_content(model=MODEL, contents=wrong))


for check in (whole, stream, tools, tools_by_the_sdk, chat, output_format, count, models, errors):
    check()
    print(f"  ok  google-genai {genai.__version__} for python: {check.__name__}", flush=True)
