// The official Google Gen AI SDK for TypeScript against the gateway: whole, stream, tools, chat, output format, counts, errors.
// Environment: BASE_URL and KEY of the gateway. Exits non-zero at the first surprise.
import assert from "node:assert/strict";
import { GoogleGenAI } from "@google/genai";

const { BASE_URL: baseUrl, KEY } = process.env;
const model = "claude-sonnet-4.6";
const make = (apiKey, more = {}) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl, ...more } });
const client = make(KEY);
const parametersJsonSchema = {
  type: "object",
  properties: { file_path: { type: "string" }, content: { type: "string" } },
  required: ["file_path", "content"],
};
const tools = [{ functionDeclarations: [{ name: "write_file", description: "Write a file.", parametersJsonSchema }] }];
const ask =
  "Create the file notes.txt with exactly this content: alpha. Use your tool for it. When it is written answer only: FINISHED";
const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
};

const checks = {
  async whole() {
    for (const each of [client, make(KEY, { apiVersion: "v1beta" }), make(KEY, { apiVersion: "v1" })]) {
      const answer = await each.models.generateContent({ model, contents: "SAY: Grüße, 你好 👋" });
      assert.equal(answer.text, "Grüße, 你好 👋");
      assert.equal(answer.candidates[0].finishReason, "STOP");
      assert.ok(answer.usageMetadata.promptTokenCount > 0 && answer.usageMetadata.candidatesTokenCount > 0);
    }
  },
  async stream() {
    const config = { systemInstruction: "Be brief.", maxOutputTokens: 500 };
    const chunks = await collect(client.models.generateContentStream({ model, contents: "SAY: one two three four", config }));
    const pieces = chunks.map((chunk) => chunk.text ?? "").filter(Boolean);
    assert.equal(pieces.join(""), "one two three four");
    assert.ok(pieces.length > 1);
    assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
  },
  async tools() {
    const contents = [{ role: "user", parts: [{ text: ask }] }];
    const chunks = await collect(client.models.generateContentStream({ model, contents, config: { tools } }));
    const [call] = chunks.flatMap((chunk) => chunk.functionCalls ?? []);
    assert.deepEqual(call.args, { file_path: "notes.txt", content: "alpha" });
    const parts = chunks.flatMap((chunk) => chunk.candidates[0].content?.parts ?? []);
    const functionResponse = { id: call.id, name: call.name, response: { output: "written" } };
    contents.push({ role: "model", parts }, { role: "user", parts: [{ functionResponse }] });
    const last = await client.models.generateContent({ model, contents, config: { tools } });
    assert.equal(last.text.trim(), "FINISHED");
  },
  async chat() {
    const session = client.chats.create({ model });
    assert.equal((await session.sendMessage({ message: "SAY: first turn" })).text, "first turn");
    const second = await collect(session.sendMessageStream({ message: "SAY: second turn" }));
    assert.equal(second.map((chunk) => chunk.text ?? "").join(""), "second turn");
  },
  async outputFormat() {
    const responseSchema = { type: "OBJECT", properties: { city: { type: "STRING" }, people: { type: "INTEGER" } }, required: ["city", "people"] };
    const config = { responseMimeType: "application/json", responseSchema };
    const found = JSON.parse((await client.models.generateContent({ model, contents: "Which city is it?", config })).text);
    assert.equal(typeof found.city, "string");
    assert.ok(Number.isInteger(found.people));
  },
  async count() {
    const { totalTokens } = await client.models.countTokens({ model, contents: "hello ".repeat(1000) });
    assert.ok(totalTokens > 500);
  },
  async models() {
    const names = [];
    for await (const entry of await client.models.list()) names.push(entry.name);
    assert.ok(names.includes(`models/${model}`), names.join());
  },
  async errors() {
    const fails = (status, promise) =>
      assert.rejects(promise, (error) => {
        assert.equal(error.status, status);
        return true;
      });
    const stranger = make("kp-wrong");
    await fails(401, stranger.models.generateContent({ model, contents: "SAY: x" }));
    await fails(401, collect(stranger.models.generateContentStream({ model, contents: "SAY: x" })));
    await fails(404, client.models.generateContent({ model: "no-such-model", contents: "SAY: x" }));
    await fails(400, client.models.generateContent({ model, contents: [{ role: "user", parts: [] }] }));
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`  ok  google genai for typescript: ${name}`);
}
