// The official Anthropic SDK for TypeScript against the gateway: stream, whole, tools, thinking, image, counts, errors.
// Environment: BASE_URL and KEY of the gateway. Exits non-zero at the first surprise.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const { BASE_URL: baseURL, KEY: apiKey } = process.env;
const model = "claude-sonnet-4-6";
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const ask = { model, max_tokens: 1024 };
const user = (content) => ({ role: "user", content });
const textOf = (message) => message.content.filter((b) => b.type === "text").map((b) => b.text).join("");
const write = {
  name: "write_file",
  description: "Write a file.",
  input_schema: {
    type: "object",
    properties: { file_path: { type: "string" }, content: { type: "string" } },
    required: ["file_path", "content"],
  },
};
const task = user(
  "Create the file notes.txt with exactly this content: alpha. Use your tool for it. When it is written answer only: FINISHED",
);
// One white pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

const checks = {
  async whole() {
    const message = await client.messages.create({ ...ask, messages: [user("SAY: Grüße, 你好 👋")] });
    assert.equal(textOf(message), "Grüße, 你好 👋");
    assert.equal(message.stop_reason, "end_turn");
    assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
  },
  async stream() {
    const pieces = [];
    const stream = client.messages.stream({ ...ask, messages: [user("SAY: one two three four")] });
    stream.on("text", (piece) => pieces.push(piece));
    const final = await stream.finalMessage();
    assert.equal(pieces.join(""), "one two three four");
    assert.ok(pieces.length > 1);
    assert.equal(final.stop_reason, "end_turn");
  },
  async tools() {
    const first = await client.messages.stream({ ...ask, messages: [task], tools: [write] }).finalMessage();
    const call = first.content.find((b) => b.type === "tool_use");
    assert.deepEqual(call.input, { file_path: "notes.txt", content: "alpha" });
    assert.equal(first.stop_reason, "tool_use");
    const result = { type: "tool_result", tool_use_id: call.id, content: [{ type: "text", text: "written" }] };
    const messages = [task, { role: "assistant", content: first.content }, user([result])];
    const last = await client.messages.create({ ...ask, messages, tools: [write] });
    assert.equal(textOf(last).trim(), "FINISHED");
  },
  async thinking() {
    const wish = { model: "claude-opus-4-6", max_tokens: 4096, thinking: { type: "adaptive" } };
    const question = user("SAY: after thinking");
    const final = await client.messages.stream({ ...wish, messages: [question] }).finalMessage();
    assert.equal(final.content[0].type, "thinking");
    assert.ok(final.content[0].signature);
    const messages = [question, { role: "assistant", content: final.content }, user("SAY: second turn")];
    assert.equal(textOf(await client.messages.create({ ...wish, messages })), "second turn");
  },
  async image() {
    const source = { type: "base64", media_type: "image/png", data: pixel };
    const content = [{ type: "image", source }, { type: "text", text: "SAY: seen" }];
    assert.equal(textOf(await client.messages.create({ ...ask, messages: [user(content)] })), "seen");
  },
  async countTokens() {
    const { input_tokens } = await client.messages.countTokens({ model, messages: [user("hello ".repeat(1000))], tools: [write] });
    assert.ok(input_tokens > 500);
  },
  async models() {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.ok(ids.length > 0);
  },
  async errors() {
    const fails = (status, type, promise) =>
      assert.rejects(promise, (error) => {
        assert.equal(error.status, status);
        assert.equal(error.error.error.type, type);
        return true;
      });
    const stranger = new Anthropic({ baseURL, apiKey: "kp-wrong", maxRetries: 0 });
    const messages = [user("SAY: x")];
    await fails(401, "authentication_error", stranger.messages.create({ ...ask, messages }));
    await fails(404, "not_found_error", client.messages.create({ ...ask, model: "no-such-model", messages }));
    await fails(400, "invalid_request_error", client.messages.create({ ...ask, messages: [] }));
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`  ok  anthropic for typescript: ${name}`);
}
