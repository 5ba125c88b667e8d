// The part of the stand-in that is about accounts: enough of each state to look at, nothing that works.
const MINUTE = 60_000;
const DAY = 86_400_000;

export function quotaOf(now, percent, more = {}) {
  const limit = 1000;
  const used = limit * percent / 100;
  return {
    fetchedAt: now - 2 * MINUTE, ageSeconds: 120, plan: 'KIRO PRO', used, limit, left: limit - used, percentUsed: percent,
    unit: 'CREDIT', resetsAt: now + 9 * DAY,
    parts: [
      { kind: 'base', name: '', used, limit, expiresAt: null, active: true },
      { kind: 'trial', name: '', used: 500, limit: 500, expiresAt: now - DAY, active: false },
      { kind: 'bonus', name: 'Welcome gift', used: 12.5, limit: 100, expiresAt: now + 20 * DAY, active: true },
    ],
    overage: { enabled: false, used: 0, cap: 250, charges: 0, currency: 'USD' }, problem: null, ...more,
  };
}

export function accountOf(now, id, label, more = {}) {
  return {
    id, label, method: 'social', provider: 'Google', origin: 'signedIn', email: `${id}@example.com`, region: 'us-east-1', enabled: true,
    demo: false, state: { kind: 'ready' }, addedAt: now - 20 * DAY, tokenExpiresAt: now + 41 * MINUTE, nextRefreshAt: now + 29 * MINUTE,
    tags: [], note: null, priority: 0, quotaFloorPercent: null, proxy: null, host: null, learnedHost: 'q.us-east-1.amazonaws.com',
    machineId: '5f1c0a9be37d42c8a6f0d1b2c3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c', inFlight: 0, requests: 120, errors: 2,
    lastSuccessAt: now - 3 * MINUTE, lastFailure: null, modelPauses: [], neverOverage: null, unsaved: false, link: null,
    userId: 'd-9067642ac7.74d8c4e8', plan: 'KIRO PRO', profileArn: 'arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK',
    quota: quotaOf(now, 38.8), creditsToday: 12.25, ...more,
  };
}

export function busyAccounts(now) {
  const make = (...rest) => accountOf(now, ...rest);
  return [
    make('a1', 'alice@example.com', {
      tags: ['team', 'research'], inFlight: 1, modelPauses: [{ model: 'claude-opus-5', until: now + 4 * MINUTE }],
      link: { owner: 'kiroIde', path: '/home/you/.aws/sso/cache/kiro-auth-token.json', writeBack: false, divergedAt: null, switchedAt: null },
      origin: 'linked',
    }),
    make('a2', 'A rather long label for the account of the whole research department', {
      method: 'idc', provider: 'Enterprise', region: 'eu-central-1', state: { kind: 'coolingDown', until: now + 5 * MINUTE },
      quota: quotaOf(now, 83), proxy: { kind: 'through', url: 'socks5://127.0.0.1:1080' },
      lastFailure: { at: now - MINUTE, code: 'throttled', message: 'Too many requests' },
    }),
    make('a3', 'bob@example.com', { provider: 'Github', state: { kind: 'needsLogin', reason: 'invalid_grant: the refresh token was revoked' }, tokenExpiresAt: now - MINUTE, quota: quotaOf(now, 12) }),
    make('a4', 'carol', { method: 'apiKey', provider: null, email: null, tokenExpiresAt: null, state: { kind: 'exhausted', until: now + 9 * DAY }, quota: quotaOf(now, 100) }),
    make('a5', 'Dave', { method: 'idc', provider: 'BuilderId', state: { kind: 'suspended', reason: 'Your User ID temporarily is suspended. We have locked it as a security precaution.' }, quota: quotaOf(now, 55), creditsToday: null }),
    make('a6', '王小明', { enabled: false, method: 'externalIdp', provider: 'AzureAD', quota: null, tokenExpiresAt: null, plan: null, tags: ['备用'] }),
  ];
}

/** A pattern that looks like a QR code; nothing can read it. */
function pattern(size) {
  let seed = 7;
  const random = () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648) > 0.5;
  const cells = Array.from({ length: size }, () => Array.from({ length: size }, () => (random() ? '1' : '0')));
  const finder = ['1111111', '1000001', '1011101', '1011101', '1011101', '1000001', '1111111'];
  for (const [top, left] of [[0, 0], [0, size - 7], [size - 7, 0]]) {
    for (let y = -1; y < 8; y++) for (let x = -1; x < 8; x++) {
      if (cells[top + y]?.[left + x] !== undefined) cells[top + y][left + x] = finder[y]?.[x] ?? '0';
    }
  }
  return { size, rows: cells.map((row) => row.join('')) };
}

export function loginOf(now, id, kind, more = {}) {
  return {
    id, kind, form: 'browser', state: 'waiting', awaits: 'browserSignIn', url: 'https://app.kiro.dev/signin?state=k2Jx9fQzExample&code_challenge=XhN0',
    userCode: null, expiresAt: now + 9 * MINUTE, startedAt: now, qr: pattern(29), callbackPort: 3128, opened: true, profiles: [], account: null,
    proof: null, problem: null, plainHttp: false, ...more,
  };
}

export function busyLogins(now) {
  return [
    loginOf(now, 'l1', 'google'),
    loginOf(now, 'l2', 'builderId', { form: 'device', awaits: 'deviceCode', userCode: 'RVDF-NTQK', url: 'https://view.awsapps.com/start/#/device' }),
    loginOf(now, 'l3', 'idc', {
      state: 'chooseProfile', awaits: 'profile',
      profiles: ['eu-central-1', 'us-east-1'].map((region) => ({ arn: `arn:aws:codewhisperer:${region}:699475941385:profile/EHGA3GRVQMUK`, name: 'Research', region })),
    }),
    loginOf(now, 'l4', 'remote', { form: 'remote', awaits: 'remoteOpen', url: 'http://192.168.1.20:8080/sign-in/6ZQ2', plainHttp: true }),
  ];
}

export const scan = (now) => ({
  found: [
    { id: 's1', owner: 'kiroIde', path: '/home/you/.aws/sso/cache/kiro-auth-token.json', label: null, email: 'a•••@example.com', method: 'social', provider: 'Google', region: 'us-east-1', expiresAt: now + 30 * MINUTE, known: null, warnings: [] },
    { id: 's2', owner: 'kiroCli', path: '/home/you/.local/share/kiro-cli/data.sqlite3', label: 'BuilderId', email: null, method: 'idc', provider: 'BuilderId', region: 'us-east-1', expiresAt: null, known: 'a1', warnings: ['expired'] },
  ],
  problems: [],
});

export function usageRows(by) {
  const row = (key, label, credits, requests) => ({ key, label, requests, credits, inputTokens: requests * 9200, outputTokens: requests * 640 });
  if (by === 'model') return [row('claude-sonnet-5', 'claude-sonnet-5', 212.4, 180), row('claude-opus-5', 'claude-opus-5', 120.75, 41), row('claude-haiku-4.5', 'claude-haiku-4.5', 18.2, 66)];
  if (by === 'key') return [row('k1', 'default', 351.35, 287)];
  if (by === 'day') return ['2026-11-25', '2026-11-26', '2026-11-27'].map((day, index) => row(day, day, 80 + index * 45, 60 + index * 20));
  return [row('a1', 'alice@example.com', 251.4, 200), row('a2', 'research', 88.1, 61), row('gone', 'old@example.com', 11.85, 26)];
}

export const browsers = {
  browsers: [['firefox', 'Firefox', true], ['chrome', 'Google Chrome', false], ['edge', 'Microsoft Edge', false], ['brave', 'Brave', false]]
    .map(([id, name, standard]) => ({ id, name, private: true, default: standard })),
  display: true,
  supportPage: 'https://app.kiro.dev/settings/account#support',
};
export const vault = { kind: 'keychain', state: 'ready', keySource: null, keyId: null, records: 6, protectedByPermissionsOnly: false };
