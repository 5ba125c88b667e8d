// Signing in: every kind, every way on, and how it ends.
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { account, FakeHost, json, login } from './fake-host';
import { by, click, none, openApp, type } from './harness';

let host: FakeHost;
beforeEach(() => (host = new FakeHost()));
afterEach(cleanup);

async function choose(kind: string) {
  await openApp(host, 'accounts');
  await click('way-signIn');
  await click(`kind-${kind}`);
}
async function running(more: Parameters<typeof login>[0] = {}) {
  host.accounts = [account()];
  host.logins = [login(more)];
  await openApp(host, 'accounts');
  return by('login');
}

describe('starting', () => {
  it('asks for start URL and region for an Identity Center, and for nothing else', async () => {
    await choose('idc');
    expect(await by('login-start')).toBeDisabled();
    await type('start-url', ' https://d-1.awsapps.com/start ');
    expect(await by('login-start')).toBeDisabled(); // the gateway takes no empty region here
    await type('region', 'eu-central-1');
    await click('form-device');
    await click('login-start');
    await waitFor(() =>
      expect(host.sent('POST /api/logins')).toEqual({ kind: 'idc', form: 'device', startUrl: 'https://d-1.awsapps.com/start', region: 'eu-central-1', open: 'none' }),
    );
    expect(await by('login')).toHaveTextContent('Sign-in with Identity Center');
  });

  it('marks a field that the gateway refuses', async () => {
    const fields = { startUrl: { code: 'invalid_value', message: 'not a start URL' } };
    host.special.set('POST /api/logins', () => json({ code: 'invalid_fields', message: 'no', fields }, 422));
    await choose('idc');
    await type('start-url', 'javascript:alert(1)');
    await type('region', 'us-east-1');
    await click('login-start');
    await waitFor(async () => expect(await by('start-url')).toHaveAttribute('aria-invalid', 'true'));
  });

  it('keeps no API key on the screen once it was sent', async () => {
    await choose('apiKey');
    expect(await by('api-key')).toHaveAttribute('type', 'password');
    await type('api-key', 'ksk_abc');
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toEqual({ kind: 'apiKey', apiKey: 'ksk_abc', region: 'us-east-1', open: 'none' }));
    expect(document.body.innerHTML).not.toContain('ksk_abc');
  });

  it('makes a link for this computer, or on an address that other devices reach, after saying what that means', async () => {
    await choose('remote');
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toEqual({ kind: 'remote', open: 'none' }));
    cleanup();
    host = new FakeHost();
    await choose('remote');
    await click('reach-network');
    expect(await by('sign-in-form')).toHaveTextContent('The link is plain HTTP');
    expect(await by('login-start')).toBeDisabled();
    await type('remote-address', ' 192.168.1.20 ');
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toEqual({ kind: 'remote', remoteAddress: '192.168.1.20', open: 'none' }));
  });

  it("offers this machine's addresses for the link, and takes a typed one all the same", async () => {
    host.addresses = ['192.168.1.5', 'fd00::5'];
    await choose('remote');
    expect(host.count('GET /api/network/addresses')).toBe(0);
    await click('reach-network');
    await waitFor(async () => expect(await by('own-address-192.168.1.5')).toBeChecked());
    expect(none('remote-address')).toBe(true);
    await click('own-address-fd00::5');
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toEqual({ kind: 'remote', remoteAddress: 'fd00::5', open: 'none' }));
    cleanup();
    host = new FakeHost();
    host.addresses = ['192.168.1.5'];
    await choose('remote');
    await click('reach-network');
    await click('own-address-');
    await type('remote-address', '10.0.0.9:9000');
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toMatchObject({ remoteAddress: '10.0.0.9:9000' }));
  });

  it('lets the person choose browser and private window in the desktop app only', async () => {
    await choose('google');
    expect(none('browsers')).toBe(true);
    cleanup();
    host = new FakeHost();
    host.kind = 'desktop';
    const browser = (id: 'firefox' | 'opera', more = {}) => ({ id, name: id.toUpperCase(), private: true, default: false, ...more });
    host.browsers = { browsers: [browser('firefox', { default: true }), browser('opera', { private: false })], display: true };
    await choose('google');
    const list = await by('browsers');
    await waitFor(() => expect(list).toHaveTextContent('FIREFOX'));
    await click('private-window');
    await click('login-start');
    await waitFor(() =>
      expect(host.sent('POST /api/logins')).toEqual({ kind: 'google', form: 'auto', open: 'browser', browser: 'firefox', private: true }),
    );
  });

  it('offers no private window where a browser has none', async () => {
    host.kind = 'desktop';
    host.browsers = { browsers: [{ id: 'opera', name: 'Plain', private: false, default: true }], display: true };
    await choose('github');
    await waitFor(async () => expect(await by('browsers')).toHaveTextContent('Plain'));
    expect(none('private-window')).toBe(true);
    await fireEvent.click(screen.getByRole('radio', { name: /Own window/ }));
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toMatchObject({ open: 'popup' }));
  });

  it('opens nothing on a machine without a display', async () => {
    host.kind = 'desktop';
    host.browsers = { browsers: [], display: false };
    await choose('google');
    await waitFor(() => expect(none('browsers')).toBe(true));
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toMatchObject({ open: 'none' }));
  });
});

describe('signing in again', () => {
  const company = account({
    id: 'c1', label: 'work', method: 'idc', provider: 'enterprise', state: { kind: 'needsLogin', reason: 'gone' },
    startUrl: 'https://d-1.awsapps.com/start', signInRegion: 'eu-west-1', proxy: { kind: 'through', url: 'http://127.0.0.1:3128' },
  });

  it('names the account, its start page and region, and says what its proxy carries', async () => {
    host.accounts = [account(), company];
    await openApp(host, 'accounts');
    await click('sign-in-again');
    const panel = await by('renews');
    expect(panel).toHaveTextContent('New sign-in for work');
    expect(panel).toHaveTextContent("go through the account's own proxy");
    expect(await by('start-url')).toHaveValue('https://d-1.awsapps.com/start');
    expect(await by('region')).toHaveValue('eu-west-1');
    expect(none('kind-google')).toBe(true);
    expect(none('login-label')).toBe(true);
    await click('login-start');
    await waitFor(() =>
      expect(host.sent('POST /api/logins')).toEqual({
        kind: 'idc', account: 'c1', form: 'auto', startUrl: 'https://d-1.awsapps.com/start', region: 'eu-west-1', open: 'none',
      }),
    );
  });

  it('is begun from what needs attention too, and can become an ordinary one', async () => {
    host.accounts = [account({ id: 'g1', label: 'mine', provider: 'google', state: { kind: 'needsLogin', reason: 'gone' } })];
    await openApp(host, 'accounts');
    await click('remedy');
    expect(await by('renews')).not.toHaveTextContent('proxy');
    expect(await by('kind-google')).toHaveAttribute('aria-pressed', 'true');
    await click('renews-none');
    await waitFor(() => expect(none('renews')).toBe(true));
    await click('kind-google');
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toEqual({ kind: 'google', form: 'auto', open: 'none' }));
  });

  it('begins anew for another account while it is open', async () => {
    const other = account({ id: 'c2', label: 'yonder', method: 'idc', provider: 'enterprise', state: { kind: 'needsLogin', reason: 'gone' } });
    host.accounts = [company, { ...other, startUrl: 'https://d-2.awsapps.com/start', signInRegion: 'us-east-1' }];
    await openApp(host, 'accounts');
    const [first, second] = await screen.findAllByTestId('sign-in-again');
    await fireEvent.click(first!);
    await type('start-url', 'https://typed.awsapps.com/start');
    await click('form-device');
    await fireEvent.click(second!);
    await waitFor(async () => expect(await by('renews')).toHaveTextContent('yonder'));
    expect(await by('start-url')).toHaveValue('https://d-2.awsapps.com/start');
    await click('login-start');
    await waitFor(() => expect(host.sent('POST /api/logins')).toMatchObject({ account: 'c2', form: 'auto', startUrl: 'https://d-2.awsapps.com/start' }));
  });

  it('leads out when its account was removed meanwhile', async () => {
    host.accounts = [account()];
    await openApp(host, 'accounts');
    await click('add-account');
    await click('way-signIn');
    await click('kind-google');
    await click('login-start');
    await by('login');
    const problem = { code: 'not_found', message: 'gone' } as const;
    host.moveLogin('l1', { state: 'failed', problem, renewal: { account: 'removed', label: 'old', ownProxy: false, outcome: null } });
    await click('login-again');
    expect(none('renews')).toBe(true);
    await by('login-label');
    await click('login-start');
    await waitFor(() => expect(host.count('POST /api/logins')).toBe(2));
    expect(host.sent('POST /api/logins')).toEqual({ kind: 'google', form: 'auto', open: 'none' });
  });

  it('says whose sign-in it was', async () => {
    const renewal = { account: 'a1', label: 'mine', ownProxy: true, outcome: null };
    await choose('google');
    await click('login-start');
    await by('login');
    host.moveLogin('l1', { renewal });
    await waitFor(async () => expect(await by('login')).toHaveTextContent('New sign-in for mine'));
    for (const [outcome, words, proxy] of [
      ['newAccount', 'A new account was added for them', true],
      ['knownAccount', 'has the new sign-in', false],
      ['untold', 'It could not be found out', true],
    ] as const) {
      host.moveLogin('l1', { state: 'done', account: account({ id: 'n1', label: 'other' }), renewal: { ...renewal, outcome } });
      await waitFor(async () => expect(await by('login-outcome')).toHaveTextContent(words));
      expect((await by('login-outcome')).textContent.includes('same proxy')).toBe(proxy);
    }
    host.moveLogin('l1', { renewal: { ...renewal, outcome: 'renewed' } });
    await waitFor(() => expect(none('login-outcome')).toBe(true));
    expect(await by('login')).toHaveTextContent('Signed in again');
  });
});

describe('while it runs', () => {
  it('says what is awaited, counts down, copies the link, and always takes a pasted address', async () => {
    const card = await running({ expiresAt: Date.now() + 90_500 });
    expect(card).toHaveTextContent('Sign in on the page that opened, then come back here.');
    expect(await by('login-left')).toHaveTextContent(/1m 3\ds/);
    await click('copy-link');
    await waitFor(() => expect(host.copied).toEqual(['https://sign-in.test/start?id=1']));
    expect(await by('open-page')).toHaveAttribute('href', 'https://sign-in.test/start?id=1');
    await type('paste', ' http://localhost:3128/?code=1 ');
    await click('paste-submit');
    await waitFor(() => expect(host.sent('POST /api/logins/l1/paste')).toEqual({ text: 'http://localhost:3128/?code=1' }));
    await waitFor(async () => expect(await by('paste')).toHaveValue(''));
  });

  it('keeps what was pasted when it is refused', async () => {
    host.special.set('POST /api/logins/l1/paste', () => json({ code: 'invalid_request', message: 'another login' }, 422));
    await running();
    await type('paste', 'nonsense');
    await click('paste-submit');
    expect(await by('problem')).toBeInTheDocument();
    expect(await by('paste')).toHaveValue('nonsense');
  });

  it('shows a device code large, with copy, and no paste field', async () => {
    await running({ kind: 'builderId', form: 'device', awaits: 'deviceCode', userCode: 'ABCD-EFGH' } as never);
    expect(await by('user-code')).toHaveTextContent('ABCD-EFGH');
    await click('copy-code');
    await waitFor(() => expect(host.copied).toEqual(['ABCD-EFGH']));
    expect(none('paste')).toBe(true);
  });

  it('draws the QR code as one vector path with a quiet zone', async () => {
    await running({ qr: { size: 3, rows: ['101', '010', '111'] } });
    await click('show-qr');
    const qr = await by('qr');
    expect(qr).toHaveAttribute('viewBox', '0 0 11 11');
    expect(qr.querySelector('path')).toHaveAttribute('d', 'M4 4h1v1h-1zM6 4h1v1h-1zM5 5h1v1h-1zM4 6h3v1h-3z');
  });

  it('never makes a link of anything but a web address', async () => {
    await running({ url: 'javascript:alert(1)' });
    expect(await by('login-url')).toHaveTextContent('javascript:alert(1)');
    expect(none('open-page')).toBe(true);
  });

  it('lets the person choose among profiles', async () => {
    const profiles = ['eu', 'us'].map((name) => ({ arn: `arn:aws:codewhisperer:${name}`, name, region: `${name}-1` }));
    await running({ state: 'chooseProfile', awaits: 'profile', profiles } as never);
    await fireEvent.click(screen.getAllByTestId('profile')[1] as HTMLElement);
    await click('profile-submit');
    await waitFor(() => expect(host.sent('POST /api/logins/l1/profile')).toEqual({ arn: 'arn:aws:codewhisperer:us' }));
  });

  it('runs several at once and cancels only the one that is meant', async () => {
    host.accounts = [account()];
    host.logins = [login(), login({ id: 'l2', kind: 'github' })];
    await openApp(host, 'accounts');
    const cards = await screen.findAllByTestId('login');
    expect(cards.map((card) => card.dataset['kind'])).toEqual(['google', 'github']);
    await fireEvent.click(within(cards[0] as HTMLElement).getByTestId('login-cancel'));
    await waitFor(() => expect(screen.getAllByTestId('login').map((card) => card.dataset['kind'])).toEqual(['github']));
    expect(host.logins.map((one) => one.id)).toEqual(['l2']);
  });
});

describe('the end', () => {
  async function started() {
    await choose('google');
    await click('login-start');
    await by('login');
  }

  it('is a proof: plan, credits, reset and models', async () => {
    await started();
    const models = Array.from({ length: 8 }, (_, index) => `m${index}`);
    const proof = { plan: 'KIRO PRO', creditsLeft: 612, creditsLimit: 1000, resetsAt: null, models, region: 'us-east-1', host: null };
    host.moveLogin('l1', { state: 'done', account: account(), proof } as never);
    const shown = await by('proof');
    for (const text of ['KIRO PRO', '612 of 1,000', 'm0, m1, m2, m3, m4, m5 and 2 more', 'us-east-1']) expect(shown).toHaveTextContent(text);
    await click('login-dismiss');
    expect(none('login')).toBe(true);
  });

  it('is a reason in three lines when it failed, with another try', async () => {
    await started();
    const problem = { code: 'upstream_failed', message: 'access_denied' };
    host.moveLogin('l1', { state: 'failed', problem } as never);
    expect(await by('problem')).toHaveTextContent('Kiro did not give an answer.');
    await click('login-again');
    expect(none('login')).toBe(true);
    expect(await by('kind-google')).toHaveAttribute('aria-pressed', 'true');
  });

  it('is not shown for a sign-in that somebody else began', async () => {
    host.accounts = [account()];
    host.logins = [login({ state: 'done' })];
    await openApp(host, 'accounts');
    await by('account-row');
    expect(none('login')).toBe(true);
  });
});
