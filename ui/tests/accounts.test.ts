// The accounts page: what it says of each account, and what can be done with it.
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountView } from '../src/api/client';
import { account, demoAccount, FakeHost, json, quota } from './fake-host';
import { by, choose, click, none, openApp, rows, type } from './harness';

let host: FakeHost;
beforeEach(() => {
  localStorage.clear();
  host = new FakeHost();
});
afterEach(cleanup);

const open = () => openApp(host, 'accounts');
async function details(more: Partial<AccountView> = {}) {
  host.accounts = [account(more)];
  await open();
  await click('account-details');
  return by('details');
}

describe('the list', () => {
  it('tells the condition by shape, colour and words, with the time that is left', async () => {
    host.accounts = [account({ state: { kind: 'coolingDown', until: Date.now() + 300_500 } })];
    await open();
    const condition = await by('condition');
    expect(condition).toHaveTextContent(/Pausing · 5m( 1s)? left/);
    expect(condition).toHaveClass('warn');
    expect(condition.querySelector('svg')).toHaveAttribute('data-shape', 'coolingDown');
  });

  it('counts on while requests come, and reads the accounts once for many of them', async () => {
    host.accounts = [account({ requests: 1 })];
    await open();
    expect(await by('account-row')).toHaveTextContent('1 · 0 failed');
    const before = host.count('GET /api/accounts');
    host.accounts = [account({ requests: 4 })];
    for (const id of ['1', '2', '3']) host.announce({ type: 'flows', id });
    await waitFor(async () => expect(await by('account-row')).toHaveTextContent('4 · 0 failed'), { timeout: 5000 });
    expect(host.count('GET /api/accounts')).toBe(before + 1);
  });

  it('says in plain words what ended a sign-in, and keeps what the service said for the details', async () => {
    host.accounts = [account({ state: { kind: 'needsLogin', reason: 'the token endpoint answered 401: Bad credentials' } })];
    await open();
    expect(await by('advice')).toHaveTextContent('The sign-in has ended. Sign in again; everything else stays.');
    expect(screen.queryByText(/Bad credentials/)).toBeNull();
    await click('account-details');
    expect(await by('reason')).toHaveTextContent('What was said: the token endpoint answered 401: Bad credentials');
  });

  it('says that an account is switched off, whatever its state is', async () => {
    host.accounts = [account({ enabled: false, state: { kind: 'needsLogin', reason: 'revoked' } })];
    await open();
    expect(await by('condition')).toHaveAttribute('data-condition', 'disabled');
    expect(none('attention')).toBe(true);
  });

  it('shows quota, age and reset of an account', async () => {
    host.accounts = [account({ quota: quota() } as Partial<AccountView>)];
    await open();
    const bar = await by('quota');
    expect(bar).toHaveTextContent('612 of 1,000 left');
    expect(bar).toHaveTextContent('39% used');
    expect(bar).toHaveTextContent(/Resets .+ \(in 9d\)/);
    expect(bar).toHaveTextContent('2 min. ago');
    expect(within(bar).getByRole('meter')).toHaveAttribute('aria-valuenow', '39');
    expect(bar.querySelector('.fill')).toHaveAttribute('width', '38.8');
  });

  it('says why there are no figures', async () => {
    const none = { fetchedAt: null, ageSeconds: null, used: null, limit: null, left: null, percentUsed: null, parts: [] };
    const problem = { code: 'upstream_failed', message: 'no' };
    host.accounts = [account({ quota: { ...none, problem } } as never)];
    await open();
    expect(await by('quota-unknown')).toHaveTextContent('Kiro did not give an answer.');
  });

  it('colours the bar from the thresholds of the settings on', async () => {
    host.set('quota', { warnPercent: 30, alertPercent: 60 });
    host.accounts = [account({ quota: quota() } as Partial<AccountView>)];
    await open();
    await waitFor(async () => expect(await by('quota')).toHaveAttribute('data-tone', 'warn'));
    expect(await by('hint')).toHaveTextContent('has used 39% of its quota.');
    expect(none('need')).toBe(true);
  });

  it('finds accounts by words, filters and orders them, and offers the way back', async () => {
    host.accounts = [
      account({ id: 'a', label: 'Alice', tags: ['team'] } as Partial<AccountView>),
      account({ id: 'b', label: 'Bob', state: { kind: 'suspended', reason: 'x' } }),
      account({ id: 'c', label: 'Carol', state: { kind: 'coolingDown', until: Date.now() + 60_000 } }),
      account({ id: 'd', label: 'Dave', enabled: false }),
    ];
    await open();
    await waitFor(() => expect(rows()).toEqual(['a', 'b', 'c', 'd']));
    const counts = screen.getByTestId('filter').textContent?.match(/\d/g)?.join('');
    expect(counts).toBe('41111');
    await choose('sort', 'trouble');
    await waitFor(() => expect(rows()).toEqual(['b', 'c', 'a', 'd']));
    await click('filter-attention');
    expect(rows()).toEqual(['b']);
    await click('filter-all');
    await type('search', 'TEAM ali');
    await waitFor(() => expect(rows()).toEqual(['a']));
    await type('search', 'nobody');
    await fireEvent.click(within(await by('nothing-matches')).getByRole('button'));
    await waitFor(() => expect(rows()).toHaveLength(4));
  });

  it('is searched by Ctrl+F, and Escape empties the search', async () => {
    host.accounts = [account()];
    await open();
    const field = await by('search');
    await fireEvent.keyDown(window, { key: 'f', ctrlKey: true });
    expect(field).toHaveFocus();
    await type('search', 'x');
    await fireEvent.keyDown(field, { key: 'Escape' });
    expect(field).toHaveValue('');
  });

  it('remembers cards or table', async () => {
    host.accounts = [account()];
    await open();
    await click('look-table');
    expect(await by('account-table')).toBeInTheDocument();
    cleanup();
    await open();
    expect(await by('account-table')).toBeInTheDocument();
    expect(rows()).toEqual(['a1']);
  });

  it('shows the first of a thousand and more on request', async () => {
    host.accounts = Array.from({ length: 130 }, (_, index) => account({ id: `a${index}`, label: `n${index}` }));
    await open();
    await waitFor(() => expect(rows()).toHaveLength(60));
    expect(rows()[10]).toBe('a10'); // 2 before 10
    await click('more');
    await waitFor(() => expect(rows()).toHaveLength(120));
  });

  it('makes one account answer alone, and goes back to automatic', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    await open();
    expect(await by('only-automatic')).toBeChecked();
    await fireEvent.click(screen.getAllByTestId('only-account')[1] as HTMLElement);
    await waitFor(() => expect(host.only).toBe('a2'));
    await waitFor(() => expect(screen.getAllByTestId('only-account').map((one) => (one as HTMLInputElement).checked)).toEqual([true, false].reverse()));
    await click('only-automatic');
    await waitFor(() => expect(host.only).toBeNull());
  });

  it('puts the choice back when it was not taken', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    host.special.set('PUT /api/accounts/only', () => json({ code: 'storage', message: 'disk full' }, 500));
    await open();
    await fireEvent.click(screen.getAllByTestId('only-account')[0] as HTMLElement);
    await waitFor(async () => expect(await by('only-automatic')).toBeChecked());
  });

  it('removes an account only after a second yes', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    await open();
    await fireEvent.click((await screen.findAllByTestId('remove-account'))[0] as HTMLElement);
    expect(host.accounts).toHaveLength(2);
    await fireEvent.keyDown(screen.getByText('Cancel'), { key: 'Escape' });
    expect(none('confirm-remove')).toBe(true);
    await fireEvent.click(screen.getAllByTestId('remove-account')[0] as HTMLElement);
    await click('confirm-remove');
    await waitFor(() => expect(rows()).toEqual(['a2']));
    expect(host.query('DELETE /api/accounts/a1').get('undoSeconds')).toBe('10');
  });

  it('takes a removed account back to its place, on whatever page the person is by then', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    await open();
    await fireEvent.click((await screen.findAllByTestId('remove-account'))[0] as HTMLElement);
    await click('confirm-remove');
    expect(await by('removed')).toHaveTextContent('alice@example.com was removed');
    await click('nav-models');
    await click('undo-removal');
    await waitFor(() => expect(none('removed')).toBe(true));
    await click('nav-accounts');
    await waitFor(() => expect(rows()).toEqual(['a1', 'a2']));
  });

  it('offers no undo when the time for it is over', async () => {
    host.accounts = [account()];
    host.removed = [{ account: account({ id: 'gone', label: 'gone' }), place: 0, undoUntil: Date.now() - 1 }];
    await open();
    await by('account-row');
    expect(none('removed')).toBe(true);
  });

  it('reads the accounts again when a pause is over, and never says that nothing is left of it', async () => {
    host.accounts = [account({ state: { kind: 'coolingDown', until: Date.now() + 400 } })];
    await open();
    expect(await by('condition')).toHaveTextContent('Pausing');
    host.accounts = [account()];
    await waitFor(async () => expect(await by('condition')).toHaveAttribute('data-condition', 'ready'));
    host.accounts = [account({ state: { kind: 'coolingDown', until: Date.now() - 60_000 } })];
    host.announce({ type: 'accounts' });
    await waitFor(async () => expect((await by('condition')).textContent?.trim()).toBe('Pausing'));
  });

  it('chooses how accounts are chosen, and puts the choice back when it was not taken', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    host.set('accounts', { strategy: 'mostQuota' });
    await open();
    await choose('strategy', 'roundRobin');
    await waitFor(() => expect(host.sent('PATCH /api/settings')).toMatchObject({ patch: { accounts: { strategy: 'roundRobin' } } }));
    host.special.set('PATCH /api/settings', () => json({ code: 'storage', message: 'disk full' }, 500));
    await choose('strategy', 'priority');
    await waitFor(async () => expect(await by('strategy')).toHaveValue('roundRobin'));
  });

  it('says that another program keeps a shared login', async () => {
    const link = { owner: 'kiroIde', path: '/home/you/.aws/sso/cache/kiro-auth-token.json', writeBack: false };
    host.accounts = [account({ link } as Partial<AccountView>)];
    await open();
    expect(await by('link-notice')).toHaveTextContent('Kiro uses this login, too');
    await click('remove-account');
    expect(screen.getByText(/The other program keeps its login/)).toBeInTheDocument();
  });
});

describe('actions', () => {
  it('ask for usage and a new token, and say so', async () => {
    host.accounts = [account()];
    await open();
    expect(await by('quota-unknown')).toBeInTheDocument();
    await click('query-usage');
    expect(await by('quota')).toHaveTextContent('612 of 1,000 left');
    expect(await by('token')).toHaveAttribute('data-token', 'none');
    await click('refresh-token');
    await waitFor(async () => expect(await by('token')).toHaveAttribute('data-token', 'valid'));
  });

  it('say why they failed, at the account', async () => {
    host.accounts = [account()];
    host.special.set('POST /api/accounts/a1/refresh', () => json({ code: 'upstream_failed', message: 'no' }, 502));
    await open();
    await click('refresh-token');
    expect(await within(await by('account-row')).findByTestId('problem')).toHaveAttribute('data-code', 'upstream_failed');
  });

  it('have no token to refresh for an API key', async () => {
    host.accounts = [account({ method: 'apiKey' })];
    await open();
    expect(await by('token')).toHaveTextContent('Not needed');
    expect(none('refresh-token')).toBe(true);
  });

  it('end a pause, and switch an account off and on', async () => {
    host.accounts = [account({ state: { kind: 'coolingDown', until: Date.now() + 60_000 } })];
    await open();
    await click('restore');
    await waitFor(async () => expect(await by('condition')).toHaveAttribute('data-condition', 'ready'));
    await click('account-enabled');
    await waitFor(async () => expect(await by('condition')).toHaveAttribute('data-condition', 'disabled'));
    expect(host.sent('PATCH /api/accounts/a1')).toEqual({ enabled: false });
  });

  it('put the switch back when it was not taken', async () => {
    host.accounts = [account()];
    host.special.set('PATCH /api/accounts/a1', () => json({ code: 'storage', message: 'disk full' }, 500));
    await open();
    await click('account-enabled');
    await waitFor(async () => expect(await by('problem')).toHaveAttribute('data-code', 'storage'));
    expect(await by('account-enabled')).toBeChecked();
  });

  it('say in words what each of them does', async () => {
    host.accounts = [account()];
    await open();
    const row = await by('account-row');
    const words = within(row).getAllByRole('button').map((button) => button.textContent?.trim());
    expect(words).toEqual(['Usage', 'New token', 'Remove', 'Details']);
    expect((await by('look-table')).textContent?.trim()).toBe('Table');
  });

  it('tell how fast each account answered a check', async () => {
    host.accounts = [account()];
    host.special.set('POST /api/accounts/check', () => json({ accounts: [{ id: 'a1', ok: true, skipped: false, ms: 320, problem: null }] }));
    await open();
    await click('check-all');
    expect(await by('check-times')).toHaveTextContent('alice@example.com: answers in 320ms');
  });

  it('offer a new key for an API key that is refused', async () => {
    host.accounts = [account({ method: 'apiKey', state: { kind: 'needsLogin', reason: 'revoked' } })];
    await open();
    expect(await by('remedy')).toHaveTextContent('Enter a new key');
    await click('sign-in-again');
    expect(await by('api-key')).toBeInTheDocument();
  });

  it('refresh and check all, and name those where it failed', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    const failed = [{ id: 'a2', problem: { code: 'upstream_failed', message: 'no' } }];
    host.special.set('POST /api/accounts/refresh', () => json({ refreshed: ['a1'], failed }));
    await open();
    await click('refresh-all');
    expect(await by('batch-failed')).toHaveTextContent('bob: Kiro did not give an answer.');
  });
});

describe('details', () => {
  it('show every part of the quota, whatever currency the service names', async () => {
    const parts = [
      { kind: 'base', name: null, used: 388, limit: 1000, expiresAt: null, active: true },
      { kind: 'trial', name: null, used: 500, limit: 500, expiresAt: 0, active: false },
    ];
    const overage = { enabled: true, used: 3, cap: null, charges: 1.5, currency: 'no currency' };
    await details({ quota: quota({ parts, overage } as never) } as Partial<AccountView>);
    const shown = await by('quota-parts');
    for (const text of ['388 of 1,000', 'Free trial', 'not active', 'on, 3 used', '1.5']) expect(shown).toHaveTextContent(text);
  });

  it('show what is known, and go away by Escape, back to where the keyboard was', async () => {
    host.accounts = [account({ machineId: 'm-123', learnedHost: 'q.us-east-1.amazonaws.com', lastSuccessAt: Date.now() } as Partial<AccountView>)];
    await open();
    const button = await by('account-details');
    button.focus();
    await fireEvent.click(button);
    const panel = await by('details');
    expect(panel).toHaveFocus();
    for (const text of ['m-123', 'q.us-east-1.amazonaws.com', 'us-east-1', 'Imported']) expect(panel).toHaveTextContent(text);
    await fireEvent.keyDown(window, { key: 'Escape' });
    expect(none('details')).toBe(true);
    expect(button).toHaveFocus();
  });

  it('send only what was changed', async () => {
    await details({ quotaFloorPercent: 10 } as Partial<AccountView>);
    expect(await by('edit-save')).toBeDisabled();
    await type('edit-tags', 'team, team，work ');
    await type('edit-floor', '');
    await type('edit-concurrency', '4');
    await choose('edit-never-overage', 'yes');
    await click('edit-save');
    await waitFor(() => expect(host.sent('PATCH /api/accounts/a1')).toEqual({ tags: ['team', 'work'], quotaFloorPercent: null, concurrency: 4, neverOverage: true }));
    await waitFor(async () => expect(await by('edit-save')).toBeDisabled());
  });

  it('mark the field that was refused', async () => {
    const fields = { quotaFloorPercent: { code: 'out_of_range', message: 'at most 100' } };
    host.special.set('PATCH /api/accounts/a1', () => json({ code: 'invalid_fields', message: 'no', fields }, 422));
    await details();
    await type('edit-floor', '400');
    await click('edit-save');
    await waitFor(async () => expect(await by('edit-floor')).toHaveAttribute('aria-invalid', 'true'));
    expect(screen.getByText('This is outside the allowed range.')).toBeInTheDocument();
    expect(await by('edit-floor')).toHaveValue('400');
  });

  it('save a proxy with its password once, and test it', async () => {
    host.special.set('POST /api/accounts/a1/proxy/test', () => json({ ok: true, ms: 42, problem: null }));
    await details();
    await click('proxy-through');
    await type('proxy-url', 'socks5://127.0.0.1:1080');
    await type('proxy-user', 'me');
    await type('proxy-password', 's3cret');
    await click('proxy-test');
    expect(await by('proxy-result')).toBeInTheDocument();
    await waitFor(async () => expect(await by('proxy-result')).toHaveTextContent('Works, 42ms'));
    const proxy = { kind: 'through', url: 'socks5://127.0.0.1:1080' };
    expect(host.sent('PATCH /api/accounts/a1')).toEqual({ proxy, proxyUser: 'me', proxyPassword: 's3cret' });
    expect(await by('proxy-password')).toHaveValue('');
  });

  it('say that a real question costs before it is asked, and what it was', async () => {
    host.special.set('POST /api/accounts/a1/test', () =>
      json({ account: 'a1', simulated: false, model: 'claude-haiku-4.5', text: 'Hi.', ms: 1200, credits: 0.05 }),
    );
    const panel = await details();
    expect(panel).toHaveTextContent('It spends a little credit.');
    expect(host.count('POST /api/accounts/a1/test')).toBe(0);
    await click('test-account');
    await waitFor(async () => expect(await by('test-result')).toHaveTextContent('Hi. claude-haiku-4.5 · 1.2s · 0.05 credits'));
    expect(host.sent('POST /api/accounts/a1/test')).toEqual({});
  });

  it('ask for a decision after the other program switched its login', async () => {
    const link = { owner: 'kiroIde', path: '/x', writeBack: false, switchedAt: Date.now() };
    await details({ link } as Partial<AccountView>);
    await click('link-keep');
    await waitFor(() => expect(host.sent('PATCH /api/accounts/a1/link')).toEqual({ decision: 'keep' }));
  });

  it('write newer tokens back only when the person says so', async () => {
    await details({ link: { owner: 'kiroCli', path: '/x', writeBack: false } } as Partial<AccountView>);
    const box = await by('write-back');
    expect(box).not.toBeChecked();
    await fireEvent.click(box);
    await waitFor(() => expect(host.sent('PATCH /api/accounts/a1/link')).toEqual({ writeBack: true }));
  });
});

describe('what needs attention', () => {
  it('is counted once: by the list, by the filter, and what is only worth knowing by neither', async () => {
    host.accounts = [
      account({ id: 'a', label: 'a', state: { kind: 'needsLogin', reason: 'x' } }),
      account({ id: 'b', label: 'b', state: { kind: 'suspended', reason: 'x' } }),
      account({ id: 'c', label: 'c', state: { kind: 'aLaterOne' } as never }),
      account({ id: 'd', label: 'd', state: { kind: 'exhausted', daily: false, until: Date.now() + 86_400_000 } }),
      account({ id: 'e', label: 'e', quota: quota({ percentUsed: 97 }) } as Partial<AccountView>),
      account({ id: 'f', label: 'f', unsaved: true }),
      account({ id: 'g', label: 'g', enabled: false, state: { kind: 'needsLogin', reason: 'x' } }),
    ];
    await open();
    const kinds = (id: string) => screen.getAllByTestId(id).map((one) => one.dataset['kind']);
    await screen.findAllByTestId('need');
    expect(kinds('need')).toEqual(['needsLogin', 'suspended', 'stopped']);
    expect(kinds('hint')).toEqual(['unsaved', 'exhausted', 'quotaAlert']);
    expect(screen.getByText('Needs attention (3)')).toBeInTheDocument();
    expect((await by('filter')).textContent).toContain('Need you3');
  });

  it('leads to the provider\'s support when an account is suspended', async () => {
    host.kind = 'desktop';
    const panel = await details({ state: { kind: 'suspended', reason: 'locked' } });
    await click('open-support');
    await waitFor(() => expect(host.count('POST /api/support/open')).toBe(1));
    expect(panel).toHaveTextContent('Ask the provider\'s support');
  });

  it('is on Home, too, and its button leads to the remedy', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob', provider: 'google', state: { kind: 'needsLogin', reason: 'revoked' } } as Partial<AccountView>)];
    await openApp(host);
    expect(await by('need')).toHaveTextContent('bob has to sign in again.');
    await click('remedy');
    expect(await by('sign-in-form')).toBeInTheDocument();
    expect(await by('kind-google')).toHaveAttribute('aria-pressed', 'true');
  });

  it('is told once in the corner, stays until closed, and leads to the account', async () => {
    host.accounts = [account()];
    await openApp(host);
    await by('account-name');
    host.announce({ type: 'notification', id: 'n1', kind: 'quotaWarning', account: 'a1', label: 'x', percent: 82 });
    host.announce({ type: 'notification', id: 'n2', kind: 'quotaWarning', account: 'a1', label: 'x', percent: 90 });
    await by('news');
    await waitFor(() => expect(screen.getByTestId('news')).toHaveTextContent('alice@example.com has used 90% of its quota.'));
    await click('news-see');
    expect(await by('details')).toBeInTheDocument();
    expect(none('news')).toBe(true);
  });
});

describe('without accounts', () => {
  it('offers to look on this computer first, then to sign in, and the demo last', async () => {
    await open();
    await by('no-accounts');
    const tabs = screen.getAllByRole('tab').map((tab) => tab.dataset['testid']);
    expect(tabs).toEqual(['way-scan', 'way-signIn', 'way-import', 'way-manual', 'way-demo']);
    expect(await by('scan')).toBeInTheDocument();
    await fireEvent.keyDown(await by('way-scan'), { key: 'ArrowLeft' });
    expect(await by('way-demo')).toHaveFocus();
    await click('add-demo');
    await waitFor(() => expect(rows()).toEqual([demoAccount.id]));
    await waitFor(() => expect(none('add-panel')).toBe(true));
  });
});
