// Adding accounts without a sign-in, taking them along, and where their secrets are.
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountView, ImportResult } from '../src/api/client';
import { account, FakeHost, json, login } from './fake-host';
import { by, choose, click, none, openApp, type } from './harness';

let host: FakeHost;
beforeEach(() => (host = new FakeHost()));
afterEach(cleanup);

const found = (more = {}) => ({ label: 'x', email: 'a•••@example.com', method: 'social', provider: 'google', region: 'us-east-1', warnings: [], known: null, expiresAt: null, ...more });
async function open(way: string) {
  await openApp(host, 'accounts');
  await click(`way-${way}`);
}

describe('looking on this computer', () => {
  it('shows what there is before anything is taken, and leaves out what is known', async () => {
    host.scan = {
      found: [
        { id: 's1', owner: 'kiroIde', path: '/home/you/.aws/sso/cache/kiro-auth-token.json', ...found() },
        { id: 's2', owner: 'kiroCli', path: '/home/you/data.sqlite3', ...found({ known: 'a9' }) },
      ],
      problems: [],
    } as never;
    host.special.set('POST /api/accounts/scan/add', () => json({ imported: [account()], duplicates: [], rejected: [] }));
    await open('scan');
    expect(host.count('GET /api/accounts/scan')).toBe(0);
    await click('scan');
    expect(await by('found')).toHaveTextContent('kiro-auth-token.json');
    expect(screen.getAllByTestId('found-choice').map((box) => (box as HTMLInputElement).checked)).toEqual([true, false]);
    await click('scan-way-copy');
    await click('scan-add');
    await waitFor(() => expect(host.sent('POST /api/accounts/scan/add')).toEqual({ ids: ['s1'], link: false }));
    expect(await by('import-result')).toHaveTextContent('alice@example.com');
  });

  it('says what sharing means before it is chosen', async () => {
    host.scan = { found: [{ id: 's1', owner: 'kiroIde', path: '/x', ...found() }], problems: [] } as never;
    await open('scan');
    await click('scan');
    expect(await by('scan-way-link')).toBeChecked();
    expect(screen.getByText(/both share one login/)).toBeInTheDocument();
    await click('scan-way-copy');
    expect(screen.getByText(/one of them may have to sign in again/)).toBeInTheDocument();
    expect(none('write-back-choice')).toBe(true);
  });

  it.each([
    [true, 'both stay signed in'],
    [false, 'its copy stops working'],
  ])('asks whether new tokens are written back, and what that means: %s', async (on, words) => {
    host.scan = { found: [{ id: 's1', owner: 'kiroIde', path: '/x', ...found() }], problems: [] } as never;
    host.special.set('POST /api/accounts/scan/add', () => json({ imported: [account()], duplicates: [], rejected: [] }));
    await open('scan');
    await click('scan');
    const choice = await by('write-back-choice');
    expect(choice).toHaveTextContent(words);
    expect(within(choice).getByText('Recommended').closest('label')).toContainElement(await by('write-back-on'));
    expect(await by('write-back-on')).toBeChecked();
    if (!on) await click('write-back-off');
    await click('scan-add');
    await waitFor(() => expect(host.sent('POST /api/accounts/scan/add')).toEqual({ ids: ['s1'], link: true, writeBack: on }));
  });

  it('says that nothing was found', async () => {
    await open('scan');
    await click('scan');
    expect(await by('found-nothing')).toBeInTheDocument();
  });
});

describe('importing', () => {
  it('looks first, names every refusal, and imports on a second yes', async () => {
    host.preview = { found: [{ index: 0, ...found() }], rejected: [{ index: 2, code: 'refresh_token_cut', message: 'cut' }], sealed: false } as unknown as ImportResult;
    await open('import');
    await type('import-text', '[{},{},{}]');
    await click('import-look');
    expect(await by('import-refusals')).toHaveTextContent('Entry 3: The refresh token is cut. Copy it whole.');
    expect(host.sent('POST /api/accounts/import')).toEqual({ content: '[{},{},{}]', preview: true });
    host.special.set('POST /api/accounts/import', () => json({ imported: [account()], duplicates: ['a9'], rejected: [{ index: 2, code: 'new_code', message: 'no token' }] }));
    await click('import-submit');
    const result = await by('import-result');
    await waitFor(() => expect(result).toHaveTextContent('alice@example.com'));
    expect(result).toHaveTextContent('1 already here');
    expect(result).toHaveTextContent('Entry 3: no token');
    expect(await by('import-text')).toHaveValue('');
  });

  it('asks the passphrase of a sealed export, and keeps it when it is wrong', async () => {
    host.preview = { imported: [], duplicates: [], notes: [], found: [], rejected: [], sealed: true };
    host.special.set('POST /api/accounts/import/sealed', () => json({ code: 'invalid_request', message: 'wrong' }, 422));
    await open('import');
    await type('import-text', '{"sealed":1}');
    await click('import-look');
    expect(await by('import-submit')).toBeDisabled();
    await type('import-passphrase', 'hunter22');
    await click('import-submit');
    await by('problem');
    expect(host.sent('POST /api/accounts/import/sealed')).toEqual({ content: '{"sealed":1}', passphrase: 'hunter22' });
    expect(await by('import-text')).toHaveValue('{"sealed":1}');
  });

  it('takes files that are dropped', async () => {
    host.preview = { found: [{ index: 0, ...found() }], rejected: [], sealed: false } as unknown as ImportResult;
    await open('import');
    const file = new File(['{"refreshToken":"r"}'], 'token.json');
    Object.assign(file, { text: async () => '{"refreshToken":"r"}' }); // jsdom's File has no text()
    await fireEvent.drop(await by('import-panel'), { dataTransfer: { files: [file] } });
    expect(await by('import-preview')).toHaveTextContent('a•••@example.com');
  });

  it('keeps the text when nothing could be read', async () => {
    host.special.set('POST /api/accounts/import', () => json({ code: 'nothing_to_import', message: 'empty' }, 422));
    await open('import');
    await type('import-text', '{}');
    await click('import-look');
    expect(await by('problem')).toHaveAttribute('data-code', 'nothing_to_import');
    expect(await by('import-text')).toHaveValue('{}');
  });
});

describe('by hand', () => {
  it('sends only what was filled in, and asks for a client only where there is one', async () => {
    host.special.set('POST /api/accounts/manual', () => json({ imported: [account()], duplicates: [], rejected: [] }));
    await open('manual');
    expect(none('manual-client-id')).toBe(true);
    await choose('manual-method', 'idc');
    await type('manual-refresh', ' aorAAA ');
    await type('manual-client-id', 'cid');
    await type('manual-client-secret', 'cs');
    await click('manual-add');
    await waitFor(() =>
      expect(host.sent('POST /api/accounts/manual')).toEqual({ method: 'idc', refreshToken: 'aorAAA', clientId: 'cid', clientSecret: 'cs' }),
    );
  });
});

describe('what the service could not be asked about', () => {
  it('is saved by hand only when the person says so', async () => {
    let unsure = true;
    host.special.set('POST /api/accounts/manual', () =>
      unsure ? json({ code: 'login_unchecked', message: 'offline' }, 502) : json({ imported: [account()], duplicates: [], rejected: [] }),
    );
    await open('manual');
    await choose('manual-method', 'apiKey');
    expect(none('manual-access')).toBe(true);
    await type('manual-refresh', 'ksk_abc');
    await click('manual-add');
    expect(await by('problem')).toHaveTextContent('Nothing was saved.');
    unsure = false;
    await click('save-unchecked');
    await waitFor(() => expect(host.sent('POST /api/accounts/manual')).toEqual({ method: 'apiKey', refreshToken: 'ksk_abc', unchecked: true }));
    await waitFor(() => expect(none('manual-refresh')).toBe(true));
  });

  it('is saved from the sign-in with a key only when the person says so', async () => {
    const failed = { state: 'failed', kind: 'apiKey', problem: { code: 'login_unchecked', message: 'offline' } } as const;
    host.special.set('POST /api/logins', () => json(login(failed as never)));
    await open('signIn');
    await click('kind-apiKey');
    await type('api-key', 'ksk_abc');
    await click('login-start');
    expect(await by('save-unchecked')).toBeInTheDocument();
    expect(await by('api-key')).toHaveValue('ksk_abc');
    host.special.delete('POST /api/logins');
    await click('save-unchecked');
    await waitFor(() => expect(host.sent('POST /api/logins')).toEqual({ kind: 'apiKey', apiKey: 'ksk_abc', region: 'us-east-1', unchecked: true, open: 'none' }));
    await waitFor(() => expect(document.body.innerHTML).not.toContain('ksk_abc'));
  });
});

describe('export', () => {
  beforeEach(() => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    host.special.set('POST /api/accounts/export', () => json({ fileName: 'accounts.json', content: 'SEALED', accounts: 1, shared: [], skipped: [{ id: 'a2', reason: 'noSecrets' }] }));
  });

  it('needs the passphrase twice', async () => {
    await openApp(host, 'accounts');
    await click('export');
    await type('export-passphrase', 'short');
    await type('export-again', 'short');
    expect(await by('export-run')).toBeDisabled();
    await type('export-again', '');
    await type('export-passphrase', 'one long word');
    expect(await by('export-run')).toBeDisabled();
    await type('export-again', 'one long wort');
    expect(await by('export-run')).toBeDisabled();
    expect(screen.getByText('The two are not the same.')).toBeInTheDocument();
    await type('export-again', 'one long word');
    await fireEvent.click(screen.getAllByTestId('export-account')[1] as HTMLElement);
    await click('export-run');
    await waitFor(() => expect(host.saved).toEqual([{ fileName: 'accounts.json', content: 'SEALED' }]));
    expect(await by('export-left')).toHaveTextContent('bob');
    expect(host.sent('POST /api/accounts/export')).toEqual({ ids: ['a1'], passphrase: 'one long word' });
  });

  it('is plain only after a second yes', async () => {
    await openApp(host, 'accounts');
    await click('export');
    await click('export-way-plain');
    expect(await by('export-run')).toBeDisabled();
    await click('export-sure');
    await click('export-run');
    await waitFor(() => expect(host.sent('POST /api/accounts/export')).toEqual({ ids: ['a1', 'a2'], plain: true, confirm: 'plain' }));
  });

  it('offers the content to copy where no file can be saved', async () => {
    host.saves = 'unsupported';
    await openApp(host, 'accounts');
    await click('export');
    await type('export-passphrase', 'twelve letters');
    await type('export-again', 'twelve letters');
    await click('export-run');
    await waitFor(() => expect(none('export-save')).toBe(true));
    await click('export-copy');
    await waitFor(() => expect(host.copied).toEqual(['SEALED']));
  });
});

describe('the place for secrets', () => {
  it('is opened with what the person gives, which does not stay on the screen', async () => {
    host.vault = { ...host.vault, kind: 'vault', state: 'keyMissing', records: null, recovery: true };
    host.special.set('POST /api/vault/unlock', () => {
      host.vault = { ...host.vault, state: 'ready' };
      return json(host.vault);
    });
    await openApp(host, 'settings');
    expect(await by('vault')).toHaveTextContent('The vault is sealed and its key was not given.');
    await click('vault-way-recoveryPassphrase');
    await type('vault-key', 'open sesame');
    await click('vault-unlock');
    await waitFor(async () => expect(await by('vault')).toHaveAttribute('data-state', 'ready'));
    expect(host.sent('POST /api/vault/unlock')).toEqual({ recoveryPassphrase: 'open sesame' });
    expect(await by('vault-lock')).toBeInTheDocument();
  });

  it('lets the keychain ask by itself', async () => {
    host.vault = { ...host.vault, state: 'locked' };
    host.special.set('POST /api/vault/unlock', () => json(host.vault));
    await openApp(host, 'settings');
    await click('vault-unlock');
    await waitFor(() => expect(host.sent('POST /api/vault/unlock')).toEqual({}));
    expect(none('vault-key')).toBe(true);
  });

  it('asks first for what the vault is usually opened with', async () => {
    host.vault = { ...host.vault, kind: 'vault', state: 'locked', keySource: 'environment' };
    await openApp(host, 'settings');
    await type('vault-key', 'AQID');
    await click('vault-unlock');
    await waitFor(() => expect(host.sent('POST /api/vault/unlock')).toEqual({ key: 'AQID' }));
    cleanup();
    host.vault = { ...host.vault, state: 'keyMissing', keySource: 'autoKeyFile' };
    await openApp(host, 'settings');
    await by('vault-unlock');
    expect(none('vault-key')).toBe(true);
    await click('vault-unlock');
    await waitFor(() => expect(host.sent('POST /api/vault/unlock')).toEqual({}));
  });

  it('is locked by a button, and says so', async () => {
    host.vault = { ...host.vault, kind: 'vault', keySource: 'passphrase' };
    await openApp(host, 'settings');
    await click('vault-lock');
    await waitFor(async () => expect(await by('vault')).toHaveAttribute('data-state', 'locked'));
    expect(host.count('POST /api/vault/lock')).toBe(1);
    expect(await by('vault-unlock')).toBeInTheDocument();
    expect(none('vault-lock')).toBe(true);
  });

  it('stays open when locking failed, and says why', async () => {
    host.vault = { ...host.vault, kind: 'vault' };
    host.special.set('POST /api/vault/lock', () => json({ code: 'store_unavailable', message: 'no' }, 503));
    await openApp(host, 'settings');
    await click('vault-lock');
    expect(await within(await by('vault')).findByTestId('problem')).toHaveAttribute('data-code', 'store_unavailable');
  });

  it('moves to a sealed file with a passphrase typed twice', async () => {
    await openApp(host, 'settings');
    await type('vault-passphrase', 'one long word');
    expect(await by('vault-move')).toBeDisabled();
    await type('vault-passphrase-again', 'one long word');
    await click('vault-move');
    await waitFor(() => expect(host.sent('POST /api/vault/migrate')).toEqual({ to: 'vault', key: { source: 'passphrase', passphrase: 'one long word' } }));
    await waitFor(async () => expect(await by('vault')).toHaveTextContent('in a sealed file'));
  });

  it.each([
    ['keyFile', 'vault-file', ' /keys/one.key ', { source: 'keyFile', keyFile: '/keys/one.key' }],
    ['systemdCredential', 'vault-file', '/keys/one.key', { source: 'systemdCredential', keyFile: '/keys/one.key' }],
    ['environment', 'vault-key', 'AQID', { source: 'environment', key: 'AQID' }],
    ['autoKeyFile', undefined, '', { source: 'autoKeyFile' }],
  ] as const)('moves to a sealed file with a key from %s', async (source, field, value, key) => {
    await openApp(host, 'settings');
    await click(`vault-source-${source}`);
    if (field) {
      expect(await by('vault-move')).toBeDisabled();
      await type(field, value);
    }
    await click('vault-move');
    await waitFor(() => expect(host.sent('POST /api/vault/migrate')).toEqual({ to: 'vault', key }));
  });

  it('gets another key, with a recovery passphrase when the person wants one', async () => {
    host.vault = { ...host.vault, kind: 'vault', keySource: 'autoKeyFile', protectedByPermissionsOnly: true };
    await openApp(host, 'settings');
    await click('rekey-source-keyFile');
    await type('rekey-file', '/keys/two.key');
    await click('rekey-recovers');
    expect(await by('rekey')).toBeDisabled();
    await type('rekey-recovery', 'for a bad day');
    await type('rekey-recovery-again', 'for a bad day');
    await click('rekey');
    const sent = { source: 'keyFile', keyFile: '/keys/two.key', recoveryPassphrase: 'for a bad day' };
    await waitFor(() => expect(host.sent('POST /api/vault/rekey')).toEqual(sent));
    await waitFor(async () => expect(await by('vault')).toHaveTextContent('A recovery passphrase opens it, too.'));
    expect(await by('rekey-recovery')).toHaveValue('');
  });

  it('keeps what was typed when a change of the key failed', async () => {
    host.vault = { ...host.vault, kind: 'vault' };
    host.special.set('POST /api/vault/rekey', () => json({ code: 'store_unavailable', message: 'no' }, 503));
    await openApp(host, 'settings');
    await click('rekey-source-keyFile');
    await type('rekey-file', '/keys/two.key');
    await click('rekey');
    expect(await within(await by('vault')).findByTestId('problem')).toBeInTheDocument();
    expect(await by('rekey-file')).toHaveValue('/keys/two.key');
  });
});

describe('the login at the proxy of everything', () => {
  it('is asked for where a proxy is named, goes to the gateway once, and is tried and forgotten', async () => {
    host.network = { address: 'http://proxy.example:3128', login: 'none' };
    host.special.set('POST /api/network/proxy/test', () => json({ ok: true, ms: 42, problem: null }));
    await openApp(host, 'settings');
    await type('network-user', 'me');
    await type('network-password', 's3cret');
    await click('network-save');
    await waitFor(() => expect(host.sent('PUT /api/network/proxy/login')).toEqual({ user: 'me', password: 's3cret' }));
    await waitFor(async () => expect(await by('network-password')).toHaveValue(''));
    expect(await by('proxy-login')).toHaveAttribute('data-login', 'stored');
    await click('network-test');
    await waitFor(async () => expect(await by('network-result')).toHaveTextContent('Works, 42ms'));
    await click('network-forget');
    await waitFor(async () => expect(await by('proxy-login')).toHaveAttribute('data-login', 'none'));
    expect(none('network-forget')).toBe(true);
  });

  it('is not asked for without a proxy, nor where the environment gives it', async () => {
    await openApp(host, 'settings');
    await by('vault');
    expect(none('proxy-login')).toBe(true);
    cleanup();
    host.network = { address: 'http://proxy.example:3128', login: 'environment' };
    await openApp(host, 'settings');
    expect(await by('network-test')).toBeInTheDocument();
    expect(none('network-user')).toBe(true);
  });

  it('marks a user name that is refused', async () => {
    host.network = { address: 'http://proxy.example:3128', login: 'none' };
    const fields = { user: { code: 'invalid_value', message: 'no colon' } };
    host.special.set('PUT /api/network/proxy/login', () => json({ code: 'invalid_fields', message: 'no', fields }, 422));
    await openApp(host, 'settings');
    await type('network-user', 'a:b');
    await click('network-save');
    await waitFor(async () => expect(await by('network-user')).toHaveAttribute('aria-invalid', 'true'));
  });
});

describe('usage', () => {
  it('adds up what the service reported, by account, model, key or day', async () => {
    host.accounts = [account()];
    const row = (key: string, credits: number) => ({ key, label: key, requests: 2, credits, inputTokens: 1200, outputTokens: 80 });
    host.usage = [row('a1', 3.25), row('gone', 1)];
    await openApp(host, 'usage');
    const table = await by('usage-table');
    expect(table).toHaveTextContent('alice@example.com');
    expect(table).toHaveTextContent('gone');
    expect(await by('usage-total')).toHaveTextContent('4.25 credits for 4 requests');
    expect([...table.querySelectorAll('rect')].map((bar) => Number(bar.getAttribute('width')).toFixed(1))).toEqual(['100.0', '30.8']);
    host.usage = [row('2026-03-01', 1)];
    await click('usage-by-day');
    await waitFor(async () => expect(await by('usage-table')).toHaveTextContent(/Mar 1/));
  });

  it('says that there is none, and why it cannot be told', async () => {
    await openApp(host, 'usage');
    expect(await by('usage-empty')).toBeInTheDocument();
    host.special.set('GET /api/usage', () => json({ code: 'storage', message: 'broken' }, 500));
    await click('usage-span-7');
    expect(await by('problem')).toHaveAttribute('data-code', 'storage');
  });
});

describe('names from anywhere', () => {
  const HOSTILE = [
    '<img src=x onerror="window.hacked=1">',
    '<script>window.hacked=1</script>',
    '"><svg onload=window.hacked=1>',
    "javascript:window.hacked=1",
    '{@html "<b>x</b>"}',
    '{{constructor.constructor("window.hacked=1")()}}',
    '</bdi><iframe srcdoc="<script>parent.hacked=1</script>">',
    '\u202Eexe.gnp',
    'a\u0000b\u200B\uFEFF',
    '👩‍👩‍👧‍👦'.repeat(50),
    'W'.repeat(5000),
    '&lt;b&gt;',
    '${7*7}',
    '%3Cimg%20src=x%3E',
  ];

  it('are text on cards, in the table, in details, in lists and in news', async () => {
    host.accounts = HOSTILE.map((text, index) =>
      account({
        id: `a${index}`,
        label: text,
        email: text,
        note: text,
        tags: [text],
        plan: text,
        provider: text,
        state: { kind: 'suspended', reason: text },
        link: { owner: text, path: text, writeBack: false },
        lastFailure: { at: 1, code: text, message: text },
      } as Partial<AccountView>),
    );
    const before = (selector: string) => document.querySelectorAll(selector).length;
    await openApp(host, 'accounts');
    await waitFor(() => expect(screen.getAllByTestId('account-row')).toHaveLength(HOSTILE.length));
    const titles = screen.getAllByTestId('account-title').map((title) => title.textContent);
    for (const text of HOSTILE) expect(titles).toContain(text);
    await click('look-table');
    for (const button of screen.getAllByTestId('account-details')) {
      await fireEvent.click(button);
      expect(await by('details')).toBeInTheDocument();
    }
    for (const [index, text] of HOSTILE.entries()) host.announce({ type: 'notification', id: `n${index}`, kind: 'suspended', account: `unknown-${index}`, label: text });
    await waitFor(() => expect(screen.getAllByTestId('news').length).toBeGreaterThan(2));
    expect(before('script, iframe, img[src="x"], [onload], [onerror]')).toBe(0);
    expect((globalThis as { hacked?: number }).hacked).toBeUndefined();
  });
});
