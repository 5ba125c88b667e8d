// Development only: serves `dist` and a small in-memory stand-in for the admin API, to look at pages without a gateway.
//   node dev/fake-api.mjs [--port 8788] [--scene first-run|demo|problem|busy|sign-in] [--language en|zh-CN] [--theme light|dark]
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { accountOf, browsers, busyAccounts, busyLogins, loginOf, quotaOf, scan, usageRows, vault } from './fake-accounts.mjs';

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '8788' },
    scene: { type: 'string', default: 'demo' },
    language: { type: 'string', default: 'en' },
    theme: { type: 'string', default: 'light' },
  },
});
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const now = Date.now();

const demo = accountOf(now, 'demo', 'Demo account', {
  quota: null, email: null, plan: null, tokenExpiresAt: null, provider: null, machineId: null, creditsToday: null, profileArn: null, requests: 3, errors: 0,
  id: 'demo', label: 'Demo account', method: 'social', origin: 'demo', region: 'us-east-1', enabled: true, demo: true,
  state: { kind: 'ready' }, addedAt: now,
});
const others = busyAccounts(now);
let logins = flags.scene === 'sign-in' ? busyLogins(now) : [];
let only = null;
const defaults = {
  listener: { port: 8080, host: '127.0.0.1', maxBodyMebibytes: 32, maxConnections: 2048, bodyReadSeconds: 60, drainSeconds: 30 },
  look: { language: 'system', theme: 'system' },
  login: { browser: '', privateWindow: false, popup: false },
  quota: { warnPercent: 80, alertPercent: 95 },
  startup: { atLogin: false, hidden: false, startGateway: true },
  logs: { level: 'info', maxFileMebibytes: 8, maxFiles: 5 },
  limits: { firstEventSeconds: 300, idleSeconds: 120, keepAliveSeconds: 15, retries: 2 },
  models: { default: 'auto', rules: [], listAliases: 'short' },
  openai: { reasoning: 'content' },
  responses: { store: 'memory', maxEntries: 200, maxMebibytes: 64, maxHours: 24 },
};
const settings = { revision: 1, settings: structuredClone(defaults), defaults, overrides: [] };
settings.settings.look = { language: flags.language, theme: flags.theme };

const offered = (id, name, window, efforts, factor, who, documents = false) => ({
  id, name, description: null, contextWindow: window, maxOutput: 64_000, images: factor > 0.25, documents, efforts,
  creditMultiplier: factor, accounts: who,
});
const five = ['low', 'medium', 'high', 'xhigh', 'max'];
const models = {
  models: [
    offered('auto', 'Auto', 200_000, [], 1, ['a1', 'a2']),
    offered('claude-opus-5', 'Claude Opus 5', 1_000_000, five, 2.2, ['a1'], true),
    offered('claude-sonnet-5', 'Claude Sonnet 5', 1_000_000, five, 1.3, ['a1', 'a2']),
    offered('claude-haiku-4.5', 'Claude Haiku 4.5', 200_000, [], 0.4, ['a1', 'a2']),
    offered('gpt-5.6-sol', 'GPT-5.6 Sol', 272_000, five, 2.4, ['a1']),
    offered('qwen3-coder-next', 'Qwen3 Coder Next', 256_000, [], 0.05, ['a1', 'a2']),
  ],
  aliases: [['gpt-4o', 'claude-sonnet-5'], ['o3', 'claude-opus-5'], ['auto-kiro', 'auto'], ['gemini-2.5-pro', 'claude-sonnet-5']]
    .map(([name, model]) => ({ name, model })),
  listKnown: true,
  unlisted: flags.scene === 'busy' ? ['a3'] : [],
};
if (flags.scene === 'busy') {
  settings.settings.models.rules = [
    { match: 'claude-haiku-*', kind: 'wildcard', targets: ['qwen3-coder-next', 'auto'], enabled: true },
    { match: 'fast', kind: 'exact', targets: ['claude-haiku-4.5'], enabled: false },
  ];
}
function tried(name) {
  const own = models.models.find((model) => model.id === name);
  const other = models.aliases.find((alias) => alias.name === name);
  const model = own?.id ?? other?.model ?? name;
  const by = own ? 'name' : other ? 'alias' : 'passedOn';
  const candidates = [...new Set([name, model])].map((id) => ({ id, offered: id === model && by !== 'passedOn' }));
  const trace = { asked: name, defaulted: false, by, candidates, model, offered: by !== 'passedOn', listKnown: true, thinking: false };
  const accounts = models.models.find((one) => one.id === model)?.accounts ?? [];
  return { trace, accounts, ...(by === 'passedOn' ? { nearest: 'claude-opus-5' } : {}) };
}
const key = { id: 'k1', name: 'default', prefix: 'kp-9fQz', createdAt: now, lastUsedAt: null, options: { bufferedStart: false, modelRules: [], accountTags: [] } };

const scenes = { 'first-run': [], demo: [demo], problem: [demo], busy: [...others, demo], 'sign-in': [others[0]] };
let accounts = scenes[flags.scene] ?? [];
const status = {
  version: '0.1.0', state: 'running', addresses: ['http://127.0.0.1:8080'], port: 8080, startedAt: now,
  dataDir: '/home/you/.local/share/kiro-proxy', inFlight: flags.scene === 'busy' ? 2 : 0,
  accounts: { total: 0, usable: 0, demo: 0 }, store: { kind: 'keychain', state: 'ready' }, problem: null, simulated: false,
};
if (flags.scene === 'problem') {
  Object.assign(status, {
    state: 'failed', addresses: [],
    problem: { code: 'port_in_use', message: 'port 8080 is taken by node (4711)', params: { port: '8080', holder: 'node', pid: '4711' } },
  });
  settings.overrides.push({ path: 'logs.level', source: 'environment', value: 'debug' });
  settings.settings.logs.level = 'debug';
}
function count() {
  const real = accounts.some((account) => !account.demo && account.state.kind === 'ready');
  status.accounts = {
    total: accounts.length,
    usable: accounts.filter((account) => account.state.kind === 'ready').length,
    demo: accounts.filter((account) => account.demo).length,
  };
  status.simulated = !real && accounts.some((account) => account.demo);
}
count();
let flows = flags.scene === 'first-run' ? [] : ['complete', 'complete', 'failed'].map((outcome, index) => ({
  id: `f${index}`, at: now - index * 70_000, protocol: 'anthropicMessages', client: ['Claude Code', 'curl', null][index],
  model: ['claude-sonnet-4.5', 'claude-haiku-4.5', 'claude-opus-4.5'][index], simulated: index < 2, delivery: 'stream',
  status: outcome === 'complete' ? 200 : 502, durationMs: [2140, 380, 64_000][index], outcome, notices: [], attempts: [],
}));

const listeners = new Set();
const announce = (event) => listeners.forEach((answer) => answer.write(`data: ${JSON.stringify(event)}\n\n`));
const statusChanged = () => (count(), announce({ type: 'status', status }));

function merge(target, patch) {
  for (const [name, value] of Object.entries(patch)) {
    if (value && typeof value === 'object' && !Array.isArray(value)) merge(target[name], value);
    else target[name] = value;
  }
}

async function answerQuestion(question, answer) {
  const send = (event, data) => answer.write(`event: ${event}\ndata: ${JSON.stringify({ type: event, ...data })}\n\n`);
  answer.writeHead(200, { 'content-type': 'text/event-stream' });
  send('receipt', { account: demo.label, simulated: true });
  send('message_start', { message: { model: 'claude-sonnet-4.5', usage: { input_tokens: 12 } } });
  const words = `You asked: ${question}\n\nThis answer comes from a stand-in, word by word, so that you can see how streaming looks.`;
  for (const word of words.split(/(?<= )/)) {
    if (answer.destroyed) return;
    send('content_block_delta', { index: 0, delta: { type: 'text_delta', text: word } });
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  send('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 24 } });
  send('message_stop', {});
  answer.end();
}

async function api(request, answer, url) {
  let text = '';
  for await (const chunk of request) text += chunk;
  const body = text ? JSON.parse(text) : {};
  const json = (value, code = 200) => {
    answer.writeHead(code, { 'content-type': 'application/json' });
    answer.end(JSON.stringify(value));
  };
  const call = `${request.method} ${url.pathname}`;
  if (call === 'GET /api/status') return json(status);
  if (call === 'GET /api/settings') return json(settings);
  if (call === 'GET /api/accounts') return json({ accounts, only });
  if (call === 'GET /api/flows') return json({ flows });
  if (call === 'GET /api/keys') return json({ keys: [key] });
  if (call === 'PATCH /api/keys/k1') return json(Object.assign(key, body));
  if (call === 'GET /api/models' || call === 'POST /api/models/refresh') return json(models);
  if (call === 'POST /api/models/test') return json(tried(body.name));
  if (call === 'POST /api/keys/k1/reveal') return json({ secret: 'kp-9fQzExampleOnlyNotARealKeyExampleOnlyNotAReal' });
  if (call === 'POST /api/try') return answerQuestion(body.question, answer);
  if (call === 'POST /api/listener') {
    Object.assign(status, { state: body.listening ? 'running' : 'stopped', problem: null });
    status.addresses = body.listening ? [`http://127.0.0.1:${status.port}`] : [];
    statusChanged();
    return json(status);
  }
  if (call === 'PATCH /api/settings') {
    if (body.revision !== settings.revision) return json({ code: 'revision_conflict', message: 'somebody else saved' }, 409);
    const port = body.patch.listener?.port;
    if (port !== undefined && (port < 1 || port > 65535)) {
      const fields = { 'listener.port': { code: 'out_of_range', message: 'must be between 1 and 65535' } };
      return json({ code: 'invalid_fields', message: 'some fields are refused', fields }, 422);
    }
    merge(settings.settings, body.patch);
    settings.revision += 1;
    announce({ type: 'settings', revision: settings.revision });
    return json(settings);
  }
  if (call.startsWith('GET /api/ports/')) {
    const port = Number(url.pathname.split('/').at(-1));
    const taken = port === 3000;
    return json({ port, free: !taken && port !== status.port, ours: port === status.port, holder: taken ? { pid: 4711, name: 'node' } : null });
  }
  if (call === 'POST /api/accounts/demo') {
    if (!accounts.includes(demo)) accounts = [...accounts, demo];
    statusChanged();
    return json(demo);
  }
  if (call === 'POST /api/accounts/import') {
    if (body.preview) return json({ found: scan(now).found, rejected: [{ index: 1, code: 'refresh_token_cut', message: 'cut' }], sealed: body.content.includes('sealed') });
    return json({ imported: [], duplicates: ['a1'], rejected: [{ index: 1, code: 'refresh_token_missing', message: 'there is no refresh token' }] });
  }
  if (call === 'PUT /api/accounts/only') {
    only = body.account;
    return json({ only });
  }
  if (call === 'GET /api/network/addresses') return json({ addresses: ['192.168.1.20', '10.8.0.3', 'fd00::20'] });
  if (call === 'GET /api/accounts/scan') return json(scan(now));
  if (call === 'GET /api/logins') return json({ logins });
  if (call === 'POST /api/logins') {
    const login = loginOf(Date.now(), `l${logins.length + 1}`, body.kind, body.form === 'device' ? { form: 'device', awaits: 'deviceCode', userCode: 'RVDF-NTQK' } : {});
    logins = [...logins, login];
    return json(login, 201);
  }
  if (call.startsWith('DELETE /api/logins/')) {
    logins = logins.filter((login) => !url.pathname.endsWith(login.id));
    announce({ type: 'logins', id: '' });
    return json({});
  }
  if (call === 'GET /api/browsers') return json(browsers);
  if (call === 'GET /api/vault') return json(vault);
  if (call === 'GET /api/usage') return json({ rows: usageRows(url.searchParams.get('by')) });
  if (call === 'POST /api/accounts/refresh') return json({ refreshed: ['a1', 'a2'], failed: [{ id: 'a3', problem: { code: 'upstream_failed', message: 'no' } }] });
  if (call === 'POST /api/accounts/check') return json({ accounts: accounts.map(({ id }) => ({ id, ok: true, skipped: false, ms: 80, problem: null })) });
  const [, id, rest] = /^\/api\/accounts\/([^/]+)(\/.+)?$/.exec(url.pathname) ?? [];
  const account = accounts.find((one) => one.id === id);
  if (account && request.method !== 'DELETE') {
    if (rest === '/proxy/test') return json({ ok: true, ms: 132, problem: null });
    if (rest === '/usage') return json((account.quota = quotaOf(Date.now(), 39)));
    if (rest === '/test') return json({ account: id, simulated: false, model: 'claude-haiku-4.5', text: 'Hello.', ms: 1200, credits: 0.05 });
    if (request.method === 'PATCH' && !rest) Object.assign(account, body);
    if (rest === '/restore') account.state = { kind: 'ready' };
    announce({ type: 'accounts' });
    return json(account);
  }
  if (call.startsWith('DELETE /api/accounts/')) {
    accounts = accounts.filter((account) => account.id !== url.pathname.split('/').at(-1));
    statusChanged();
    announce({ type: 'accounts' });
    answer.writeHead(204);
    return answer.end();
  }
  if (call === 'GET /api/events') {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write(': hello\n\n');
    listeners.add(answer);
    return request.on('close', () => listeners.delete(answer));
  }
  return json({ code: 'not_found', message: call }, 404);
}

createServer(async (request, answer) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname.startsWith('/api/')) return api(request, answer, url);
  const path = join(dist, normalize(url.pathname === '/' ? 'index.html' : url.pathname));
  try {
    const bytes = await readFile(path);
    answer.writeHead(200, {
      'content-type': types[extname(path)] ?? 'application/octet-stream',
      'content-security-policy': "default-src 'self'; style-src 'self'; script-src 'self'; img-src 'self'",
    });
    answer.end(bytes);
  } catch {
    answer.writeHead(404).end();
  }
}).listen(Number(flags.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${flags.port} (${flags.scene})`));
