// A host with a small gateway behind it: enough state that pages can be driven through whole flows.
import { vi } from 'vitest';
import type { AccountList, AccountView, AdminEvent, BrowserList, ClientKey, FlowView, ImportResult, LoginView } from '../src/api/client';
import type { ModelList, NameTestResult, PortView, QuotaView, ScanResult, SettingsView, Status } from '../src/api/client';
import type { MarkedFlow, NetworkProxy, UsageRow, VaultView } from '../src/api/client';
import type { Host, HostRequest } from '../src/api/host';

export function json(value: unknown, status = 200): Response {
  return new Response(status === 204 ? null : JSON.stringify(value), { status });
}

/** An event stream that a test writes into. */
export class FakeStream {
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly cancelled = vi.fn();
  readonly response: Response;

  constructor() {
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      cancel: this.cancelled,
    });
    this.response = new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  }
  write(text: string): void {
    this.#controller.enqueue(new TextEncoder().encode(text));
  }
  event(name: string, data: unknown): void {
    this.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }
  end(): void {
    this.#controller.close();
  }
  breakOff(): void {
    this.#controller.error(new Error('connection reset'));
  }
}

export function account(more: Partial<AccountView> = {}): AccountView {
  return {
    id: 'a1',
    label: 'alice@example.com',
    method: 'social',
    origin: 'imported',
    enabled: true,
    demo: false,
    state: { kind: 'ready' },
    region: 'us-east-1',
    addedAt: 0,
    tags: [],
    priority: 0,
    inFlight: 0,
    requests: 0,
    errors: 0,
    modelPauses: [],
    unsaved: false,
    ...more,
  } as AccountView;
}

export function quota(more: Partial<QuotaView> = {}): QuotaView {
  return {
    fetchedAt: Date.now() - 120_000,
    ageSeconds: 120,
    plan: 'KIRO PRO',
    used: 388,
    limit: 1000,
    left: 612,
    percentUsed: 38.8,
    unit: 'CREDIT',
    resetsAt: Date.now() + 9 * 86_400_000,
    parts: [{ kind: 'base', name: '', used: 388, limit: 1000, expiresAt: null, active: true }],
    overage: null,
    problem: null,
    ...more,
  } as QuotaView;
}

export function login(more: Partial<LoginView> = {}): LoginView {
  return {
    id: 'l1',
    kind: 'google',
    form: 'browser',
    state: 'waiting',
    awaits: 'browserSignIn',
    url: 'https://sign-in.test/start?id=1',
    userCode: null,
    expiresAt: Date.now() + 600_000,
    startedAt: 0,
    qr: null,
    callbackPort: 3128,
    opened: true,
    profiles: [],
    account: null,
    proof: null,
    problem: null,
    ...more,
  } as LoginView;
}

export const demoAccount = account({ id: 'demo', label: 'Demo account', origin: 'demo', demo: true });

export function status(more: Partial<Status> = {}): Status {
  return {
    version: '0.1.0',
    state: 'running',
    addresses: ['http://127.0.0.1:8080'],
    port: 8080,
    startedAt: 0,
    dataDir: '/data',
    inFlight: 0,
    accounts: { total: 0, usable: 0, demo: 0 },
    store: { kind: 'keychain', state: 'ready' },
    problem: null,
    simulated: false,
    refreshes: { unsaved: 0, cutShort: 0, loginsLost: 0 },
    ...more,
  };
}

export function models(more: Partial<ModelList> = {}): ModelList {
  const model = (id: string, efforts: string[]) => ({
    id,
    name: `Model ${id}`,
    description: null,
    contextWindow: 200_000,
    maxOutput: 64_000,
    images: true,
    documents: false,
    efforts,
    creditMultiplier: 1.3,
    accounts: ['a1'],
  });
  return {
    models: [model('auto', []), model('claude-opus-5', ['low', 'high'])],
    aliases: [{ name: 'gpt-4o', model: 'auto' }],
    listKnown: true,
    unlisted: [],
    ...more,
  };
}

function key(more: Partial<ClientKey> = {}): ClientKey {
  const options = { bufferedStart: false, modelRules: [], accountTags: [] };
  return { id: 'k1', name: 'default', prefix: 'kp-abcd', createdAt: 0, options, ...more };
}

/** What the tester answers for a name that means itself, or something else. */
export function traced(asked: string, more: Partial<NameTestResult['trace']> = {}): NameTestResult {
  const trace = {
    asked,
    defaulted: false,
    by: 'name',
    candidates: [{ id: asked, offered: true }],
    model: asked,
    offered: true,
    listKnown: true,
    thinking: false,
    ...more,
  } as NameTestResult['trace'];
  return { trace, accounts: ['a1'] };
}

function settings(): SettingsView {
  const values = () => ({
    listener: { port: 8080, host: '127.0.0.1', maxBodyMebibytes: 32 },
    look: { language: 'en', theme: 'system' },
    startup: { atLogin: false, hidden: false, startGateway: true },
    logs: { level: 'info' },
    limits: { retries: 2, attempts: 8, retryDelayMilliseconds: 400 },
    models: { default: 'auto', rules: [], listAliases: 'short' },
  });
  const defaults = values();
  defaults.look.language = 'system';
  return { revision: 1, settings: values(), defaults, overrides: [], inherited: [] } as unknown as SettingsView;
}

export class FakeHost implements Host {
  kind: Host['kind'] = 'browser';
  readonly copied: string[] = [];
  readonly saved: { fileName: string; content: string }[] = [];
  saves: 'saved' | 'cancelled' | 'unsupported' = 'saved';
  readonly calls: { call: string; body: unknown }[] = [];
  readonly #queries = new Map<string, string>();
  status = status();
  settings = settings();
  accounts: AccountView[] = [];
  only: string | null = null;
  /** What can be taken back, with its place in the list. */
  removed: { account: AccountView; place: number; undoUntil: number }[] = [];
  logins: LoginView[] = [];
  scan: ScanResult = { found: [], problems: [] };
  preview: ImportResult = { imported: [], duplicates: [], notes: [], found: [], rejected: [], sealed: false };
  usage: UsageRow[] = [];
  addresses: string[] = [];
  browsers: Omit<BrowserList, 'supportPage'> = { browsers: [], display: true };
  network: NetworkProxy = { address: null, login: 'none' };
  vault: VaultView = { kind: 'keychain', state: 'ready', records: 1, protectedByPermissionsOnly: false, recovery: false } as VaultView;
  flows: FlowView[] = [];
  flowStore = 'disk';
  keys: ClientKey[] = [key()];
  models = models();
  ports = new Map<number, Partial<PortView>>();
  /** Answers that come before the ordinary ones, by call. */
  readonly special = new Map<string, (request: HostRequest) => Promise<Response> | Response>();
  readonly events: FakeStream[] = [];

  async copy(text: string): Promise<void> {
    this.copied.push(text);
  }

  async save(fileName: string, content: string): Promise<'saved' | 'cancelled' | 'unsupported'> {
    if (this.saves === 'saved') this.saved.push({ fileName, content });
    return this.saves;
  }

  announce(event: AdminEvent): void {
    this.events.at(-1)?.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  /** The body of the latest call. */
  sent(call: string): unknown {
    return this.calls.filter((one) => one.call === call).at(-1)?.body;
  }

  /** What the latest call had behind its path. */
  query(call: string): URLSearchParams {
    return new URLSearchParams(this.#queries.get(call));
  }

  count(call: string): number {
    return this.calls.filter((one) => one.call === call).length;
  }

  async fetch(path: string, request: HostRequest = {}): Promise<Response> {
    const call = `${request.method ?? 'GET'} ${path.split('?')[0]}`;
    const body = request.body === undefined ? undefined : (JSON.parse(request.body) as Record<string, never>);
    this.calls.push({ call, body });
    this.#queries.set(call, path.split('?')[1] ?? '');
    const special = this.special.get(call);
    if (special) return special(request);
    return this.#answer(call, body ?? {}, path);
  }

  #answer(call: string, body: Record<string, never>, path: string): Response {
    if (call === 'GET /api/status') return json(this.status);
    if (call === 'GET /api/settings') return json(this.settings);
    if (call === 'GET /api/accounts') return json(this.#accountList());
    const answer = this.#accountAnswer(call, body) ?? this.#loginAnswer(call, body);
    if (answer) return answer;
    if (call === 'GET /api/usage') return json({ rows: this.usage });
    if (call === 'GET /api/network/addresses') return json({ addresses: this.addresses });
    if (call === 'GET /api/browsers') return json({ ...this.browsers, supportPage: 'https://app.kiro.dev/settings/account#support' });
    if (call === 'GET /api/vault') return json(this.vault);
    const kept = this.#flowAnswer(call, path, body);
    if (kept) return kept;
    if (call === 'GET /api/keys') return json({ keys: this.keys });
    if (call === 'PATCH /api/keys/k1') {
      this.keys = this.keys.map((one) => (one.id === 'k1' ? { ...one, ...(body as Partial<ClientKey>) } : one));
      return json(this.keys[0]);
    }
    if (call === 'GET /api/models' || call === 'POST /api/models/refresh') return json(this.models);
    if (call === 'POST /api/models/test') return json(traced(body['name'] ?? ''));
    if (call === 'POST /api/keys/k1/reveal') return json({ secret: 'kp-abcd-secret' });
    if (call === 'POST /api/listener') {
      this.status = status({ ...this.status, state: body['listening'] ? 'running' : 'stopped', problem: null });
      return json(this.status);
    }
    if (call === 'PATCH /api/settings') return this.#patch(body);
    if (call === 'POST /api/accounts/demo') {
      this.accounts = [demoAccount];
      this.status = status({ ...this.status, simulated: true });
      return json(demoAccount);
    }
    if (call.startsWith('DELETE /api/accounts/')) {
      const place = this.accounts.findIndex((one) => call.endsWith(`/${one.id}`));
      const [account] = this.accounts.splice(place, 1) as [AccountView];
      this.accounts = [...this.accounts];
      const undoUntil = Date.now() + 10_000;
      this.removed = [...this.removed, { account, place, undoUntil }];
      return json({ id: account.id, label: account.label, undoUntil });
    }
    const undone = /^POST \/api\/accounts\/([^/]+)\/undo-removal$/.exec(call)?.[1];
    if (undone) {
      const found = this.removed.find(({ account }) => account.id === undone);
      if (!found) return json({ code: 'not_found', message: 'too late' }, 404);
      this.removed = this.removed.filter((one) => one !== found);
      this.accounts = [...this.accounts.slice(0, found.place), found.account, ...this.accounts.slice(found.place)];
      return json(found.account);
    }
    if (call.startsWith('POST /api/vault/')) return this.#vaultAnswer(call, body);
    if (call === 'GET /api/network/proxy') return json(this.network);
    if (call === 'PUT /api/network/proxy/login') return json((this.network = { ...this.network, login: 'stored' }));
    if (call === 'DELETE /api/network/proxy/login') return json((this.network = { ...this.network, login: 'none' }));
    if (call === 'POST /api/support/open') return json(null, 204);
    if (call.startsWith('GET /api/ports/')) {
      const port = Number(call.split('/').at(-1));
      return json({ port, free: true, ours: false, holder: null, ...this.ports.get(port) });
    }
    if (call === 'GET /api/events') {
      const stream = new FakeStream();
      this.events.push(stream);
      return stream.response;
    }
    return json({ code: 'not_found', message: call }, 404);
  }

  #accountList(): AccountList {
    const removed = this.removed.map(({ account: { id, label }, undoUntil }) => ({ id, label, undoUntil }));
    return { accounts: this.accounts, only: this.only, removed };
  }

  #vaultAnswer(call: string, body: Record<string, unknown>): Response {
    const change = (more: Partial<VaultView>) => {
      this.vault = { ...this.vault, ...more };
      return { changed: this.vault.records ?? 1, vault: this.vault };
    };
    if (call === 'POST /api/vault/lock') return json(change({ state: 'locked' }).vault);
    if (call === 'POST /api/vault/unlock') return json(change({ state: 'ready' }).vault);
    const key = (call === 'POST /api/vault/rekey' ? body : (body['key'] ?? {})) as { source?: VaultView['keySource']; recoveryPassphrase?: string };
    const kind = (body['to'] ?? 'vault') as VaultView['kind'];
    return json(change({ kind, keySource: key.source ?? null, recovery: key.recoveryPassphrase !== undefined }));
  }

  #accountAnswer(call: string, body: Record<string, unknown>): Response | undefined {
    if (call === 'PUT /api/accounts/only') {
      this.only = body['account'] as string | null;
      return json({ only: this.only });
    }
    if (call === 'GET /api/accounts/scan') return json(this.scan);
    if (call === 'POST /api/accounts/import' && body['preview'] === true) return json(this.preview);
    if (call === 'POST /api/accounts/refresh') return json({ refreshed: this.accounts.map(({ id }) => id), failed: [] });
    const [, method, id, rest] = /^(\w+) \/api\/accounts\/([^/]+)(\/.+)?$/.exec(call) ?? [];
    const found = this.accounts.find((one) => one.id === id);
    if (!found) return undefined;
    const change = (more: Partial<AccountView>) => {
      this.accounts = this.accounts.map((one) => (one.id === id ? { ...one, ...more } : one));
      return json({ ...found, ...more });
    };
    if (method === 'PATCH' && !rest) return change(body as Partial<AccountView>);
    if (method === 'PATCH' && rest === '/link') return change({ link: { ...found.link, ...body } } as Partial<AccountView>);
    if (rest === '/restore') return change({ state: { kind: 'ready' } } as Partial<AccountView>);
    if (rest === '/refresh') return change({ tokenExpiresAt: Date.now() + 3_600_000 } as Partial<AccountView>);
    if (rest === '/usage') {
      change({ quota: quota() } as Partial<AccountView>);
      return json(quota());
    }
    return undefined;
  }

  /** Records of requests: enough of the filters that pages can be seen to use them. */
  #flowAnswer(call: string, path: string, body: Record<string, unknown>): Response | undefined {
    const query = new URLSearchParams(path.split('?')[1] ?? '');
    const marked = this.flows.map((one) => ({ bookmarked: false, note: null, tags: [], ...one }) as MarkedFlow);
    const fits = (one: MarkedFlow) =>
      ['outcome', 'protocol', 'model', 'account'].every((name) => !query.has(name) || one[name as 'outcome'] === query.get(name)) &&
      (!query.has('bookmarked') || one.bookmarked) &&
      (!query.has('tag') || one.tags.includes(query.get('tag') ?? '')) &&
      (!query.has('search') || JSON.stringify(one).toLowerCase().includes(query.get('search')?.toLowerCase() ?? ''));
    const found = marked.filter(fits);
    const ended = found.filter((one) => one.outcome !== 'running');
    if (call === 'GET /api/flows') {
      const limit = Number(query.get('limit') ?? 50);
      const running = found.filter((one) => one.outcome === 'running');
      return json({ flows: ended.slice(0, limit), running, matched: ended.length, next: ended.length > limit ? 1 : null });
    }
    if (call === 'GET /api/flows/stats') {
      const group = (key: string) => ({ key, requests: 1, failed: 0, credits: 0 });
      const keys = (name: 'protocol' | 'model' | 'account') => [...new Set(found.map((one) => one[name]))].flatMap((key) => (key ? [group(key)] : []));
      const latency = { measured: ended.length, p50Ms: 1200, p90Ms: 2000, p99Ms: 3000, maxMs: 3000 };
      const count = (outcome: string) => found.filter((one) => one.outcome === outcome).length;
      return json({
        requests: ended.length,
        running: count('running'),
        oldest: null,
        outcomes: { complete: count('complete'), failed: count('failed'), clientLeft: count('clientLeft') },
        duration: latency,
        firstEvent: latency,
        inputTokens: 10,
        outputTokens: 5,
        credits: 0.5,
        protocols: keys('protocol'),
        models: keys('model'),
        accounts: keys('account'),
        codes: [],
        store: this.flowStore,
        unsaved: 0,
      });
    }
    if (call === 'POST /api/flows/export') return json({ fileName: 'requests.json', mediaType: 'application/json', content: '{}', flows: ended.length });
    if (call === 'DELETE /api/flows') {
      const before = this.flows.length;
      this.flows = query.get('marked') === 'true' ? [] : (marked.filter((one) => one.bookmarked) as FlowView[]);
      return json({ deleted: before - this.flows.length });
    }
    const id = /^PATCH \/api\/flows\/(.+)$/.exec(call)?.[1];
    if (id === undefined) return undefined;
    this.flows = this.flows.map((one) => (one.id === id ? { ...one, ...body } : one));
    return json({ ...marked.find((one) => one.id === id), ...body });
  }

  #loginAnswer(call: string, body: Record<string, unknown>): Response | undefined {
    if (call === 'GET /api/logins') return json({ logins: this.logins });
    if (call === 'POST /api/logins') {
      const started = login({ id: `l${this.logins.length + 1}`, kind: body['kind'] as LoginView['kind'] });
      this.logins = [...this.logins, started];
      return json(started);
    }
    const [, method, id] = /^(\w+) \/api\/logins\/([^/]+)/.exec(call) ?? [];
    const found = this.logins.find((one) => one.id === id);
    if (!found) return undefined;
    if (method === 'DELETE') {
      this.logins = this.logins.filter((one) => one.id !== id);
      return json(null, 204);
    }
    return json(found);
  }

  /** A sign-in went on without this window. */
  moveLogin(id: string, more: Partial<LoginView>): void {
    this.logins = this.logins.map((one) => (one.id === id ? { ...one, ...more } : one));
    this.announce({ type: 'logins', id });
  }

  #patch(body: { revision?: number; patch?: Record<string, Record<string, unknown>> }): Response {
    if (body.revision !== this.settings.revision) {
      return json({ code: 'revision_conflict', message: 'saved elsewhere in between' }, 409);
    }
    for (const [section, fields] of Object.entries(body.patch ?? {})) this.set(section, fields);
    return json(this.settings);
  }

  /** Changes settings the way another face would. */
  set(section: string, fields: Record<string, unknown>): void {
    const before = this.settings.settings as unknown as Record<string, Record<string, unknown>>;
    const after = { ...before, [section]: { ...before[section], ...fields } };
    this.settings = { ...this.settings, revision: this.settings.revision + 1, settings: after } as SettingsView;
  }
}
