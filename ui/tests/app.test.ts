// Whole flows through the real pages, on a host with a small gateway behind it.
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import App from '../src/App.svelte';
import { Session } from '../src/session';
import { account, demoAccount, FakeHost, FakeStream, json, status } from './fake-host';

let host: FakeHost;
beforeEach(() => {
  location.hash = '';
  host = new FakeHost();
});
afterEach(cleanup);

const by = (id: string) => screen.findByTestId(id);
async function open(page = 'home') {
  location.hash = `#/${page}`;
  render(App, { session: new Session(host) });
  await by('nav-home');
}
const click = async (id: string) => fireEvent.click(await by(id));

describe('home', () => {
  it('says that it runs, where, and with which account', async () => {
    host.accounts = [account()];
    await open();
    expect(await by('state')).toHaveAttribute('data-state', 'running');
    expect(await by('address')).toHaveTextContent('http://127.0.0.1:8080');
    await waitFor(async () => expect(await by('account-name')).toHaveTextContent('alice@example.com'));
    expect(screen.queryByTestId('simulated-badge')).toBeNull();
    await click('copy-address');
    expect(host.copied).toEqual(['http://127.0.0.1:8080']);
  });

  it('stops and starts', async () => {
    host.accounts = [account()];
    await open();
    await click('stop');
    await waitFor(async () => expect(await by('state')).toHaveAttribute('data-state', 'stopped'));
    await click('start');
    await waitFor(async () => expect(await by('state')).toHaveAttribute('data-state', 'running'));
  });

  it('follows what happens elsewhere, such as a stop from the tray', async () => {
    await open();
    expect(await by('state')).toHaveAttribute('data-state', 'running');
    host.announce({ type: 'status', status: status({ state: 'stopping' }) });
    await waitFor(async () => expect(await by('state')).toHaveAttribute('data-state', 'stopping'));
    expect(screen.queryByTestId('stop')).toBeNull();
  });

  it('explains why it does not run, and offers ways out', async () => {
    host.accounts = [account()];
    const params = { port: '8080', holder: 'node', pid: '7' };
    host.status = status({ state: 'failed', problem: { code: 'port_in_use', message: 'taken', params } });
    await open();
    const problem = await by('problem');
    expect(problem).toHaveTextContent('Port 8080 is used by node.');
    await fireEvent.click(within(problem).getByText('Change the port'));
    expect(await by('setting-port')).toBeInTheDocument();
  });

  it('shows the key only when asked', async () => {
    await open();
    expect(await by('key')).toHaveTextContent(/^kp-abcd•+$/);
    await click('reveal-key');
    await waitFor(async () => expect(await by('key')).toHaveTextContent('kp-abcd-secret'));
    await click('reveal-key');
    await waitFor(async () => expect(await by('key')).toHaveTextContent(/^kp-abcd•+$/));
    await click('copy-key');
    await waitFor(() => expect(host.copied).toEqual(['kp-abcd-secret']));
  });

  it('says what is wrong with the place for secrets, and the way out', async () => {
    host.status = status({ store: { kind: 'keychain', state: 'locked' } });
    await open();
    expect(await by('problem')).toHaveTextContent("The system's keychain is locked.");
  });

  it('says when the gateway cannot be reached', async () => {
    for (const name of ['status', 'settings', 'accounts', 'keys', 'flows', 'events']) {
      host.special.set(`GET /api/${name}`, () => Promise.reject(new Error('refused')));
    }
    const session = new Session(host);
    render(App, { session });
    await session.queries.refreshAll();
    expect(await by('problem')).toHaveAttribute('data-code', 'unreachable');
  });
});

describe('first run', () => {
  it('goes from no account to a streamed, simulated answer in two steps', async () => {
    const stream = new FakeStream();
    host.special.set('POST /api/try', () => stream.response);
    await open();
    await by('first-run');
    expect(screen.queryByTestId('question')).toBeNull();
    await click('add-demo');
    expect(await by('simulated-badge')).toBeInTheDocument();
    expect(await by('account-name')).toHaveTextContent('Demo account');
    expect(screen.queryByTestId('first-run')).toBeNull();

    await fireEvent.input(await by('question'), { target: { value: 'Hello?' } });
    await click('ask');
    stream.event('receipt', { account: 'Demo account', simulated: true });
    stream.event('content_block_delta', { delta: { type: 'text_delta', text: 'Hi.' } });
    stream.event('message_stop', {});
    stream.end();
    await waitFor(async () => expect(await by('answer-state')).toHaveAttribute('data-state', 'done'));
    expect(await by('answer')).toHaveTextContent('Hi.');
    expect(await by('receipt')).toHaveTextContent('Demo account');
  });

  it('tells what the question cost and who was asked before', async () => {
    const stream = new FakeStream();
    host.special.set('POST /api/try', () => stream.response);
    host.accounts = [account()];
    const attempt = (account: string, operation = 'answer') => ({ account, host: 'h', ms: 1, operation });
    host.flows = [
      { id: 'r1', at: 0, durationMs: 1, outcome: 'complete', protocol: 'try', notices: [], simulated: false, status: 200, usage: { credits: 0.25 }, attempts: [attempt('a2'), attempt('a1'), attempt('a1', 'search')] },
    ] as never;
    await open();
    await fireEvent.input(await by('question'), { target: { value: 'Hello?' } });
    await click('ask');
    stream.event('receipt', { request: 'r1', account: 'a1', simulated: false });
    stream.event('content_block_delta', { delta: { type: 'text_delta', text: 'Hi.' } });
    stream.event('message_stop', {});
    stream.end();
    await waitFor(async () => expect(await by('receipt')).toHaveTextContent('2, 1 on another account'));
    expect(await by('receipt')).toHaveTextContent('Credits 0.25');
  });

  it('says why there is no demo account', async () => {
    host.special.set('POST /api/accounts/demo', () => json({ code: 'demo_unavailable', message: 'none' }, 503));
    await open();
    await click('add-demo');
    expect(await by('problem')).toHaveAttribute('data-code', 'demo_unavailable');
  });

  it('does not send a question while an input method is open', async () => {
    host.accounts = [demoAccount];
    await open();
    const question = await by('question');
    await fireEvent.input(question, { target: { value: '你好' } });
    await fireEvent.keyDown(question, { key: 'Enter', isComposing: true });
    expect(host.count('POST /api/try')).toBe(0);
    await fireEvent.keyDown(question, { key: 'Enter' });
    expect(host.count('POST /api/try')).toBe(1);
  });
});

describe('accounts', () => {
  it('removes an account only after a second yes', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    await open('accounts');
    await waitFor(() => expect(screen.getAllByTestId('account-row')).toHaveLength(2));
    await fireEvent.click(screen.getAllByTestId('remove-account')[0] as HTMLElement);
    expect(host.accounts).toHaveLength(2);
    await fireEvent.keyDown(screen.getByText('Cancel'), { key: 'Escape' });
    expect(screen.queryByTestId('confirm-remove')).toBeNull();
    await fireEvent.click(screen.getAllByTestId('remove-account')[0] as HTMLElement);
    await click('confirm-remove');
    await waitFor(() => expect(screen.getAllByTestId('account-row')).toHaveLength(1));
    expect(await by('account-row')).toHaveTextContent('bob');
  });
});

describe('settings', () => {
  it('switches the language everywhere at once', async () => {
    await open('settings');
    await fireEvent.change(await by('setting-language'), { target: { value: 'zh-CN' } });
    await waitFor(async () => expect(await by('nav-home')).toHaveTextContent('主页'));
    expect(document.documentElement.lang).toBe('zh-CN');
    expect(await by('save-state')).toHaveAttribute('data-state', 'saved');
  });

  it('switches the theme at once', async () => {
    await open('settings');
    await fireEvent.change(await by('setting-theme'), { target: { value: 'dark' } });
    await waitFor(() => expect(document.documentElement.dataset['theme']).toBe('dark'));
  });

  it('names who holds a port, and saves on Enter, never on leaving', async () => {
    host.ports.set(3000, { free: false, holder: { pid: 7, name: 'node' } });
    await open('settings');
    const port = await by('setting-port');
    await fireEvent.input(port, { target: { value: '3000' } });
    await waitFor(async () => expect(await by('port-check')).toHaveTextContent('Used by node (process 7)'));
    await fireEvent.blur(port);
    expect(host.count('PATCH /api/settings')).toBe(0);
    await click('port-suggestion');
    expect(port).toHaveValue('3001');
    await fireEvent.keyDown(port, { key: 'Enter' });
    await waitFor(async () => expect(await by('save-state')).toHaveAttribute('data-state', 'saved'));
    expect(host.settings.settings.listener?.port).toBe(3001);
  });

  it('puts a switch back when it was not saved', async () => {
    host.special.set('PATCH /api/settings', () => json({ code: 'storage', message: 'disk full' }, 500));
    await open('settings');
    const box = await by('setting-at-login');
    await fireEvent.click(box);
    await waitFor(async () => expect(await by('problem')).toHaveAttribute('data-code', 'storage'));
    expect(box).not.toBeChecked();
    expect(await by('save-state')).toHaveAttribute('data-state', 'failed');
  });

  it('shows what was set from outside, and leaves it alone', async () => {
    host.settings.overrides = [{ path: 'logs.level', source: 'environment', variable: 'KIRO_PROXY__LOGS__LEVEL', value: 'debug' }];
    await open('settings');
    expect(await by('setting-level')).toBeDisabled();
    expect(await by('override-logs.level')).toHaveTextContent('environment variable');
  });

  it('goes back to the default', async () => {
    host.set('look', { theme: 'dark' });
    await open('settings');
    await click('reset-look.theme');
    await waitFor(async () => expect(await by('setting-theme')).toHaveValue('system'));
    expect(await by('reset-look.theme')).toBeDisabled();
  });

  it('lets the person decide when a setting was changed elsewhere', async () => {
    await open('settings');
    await by('setting-theme');
    host.set('look', { theme: 'light' });
    await fireEvent.change(await by('setting-theme'), { target: { value: 'dark' } });
    expect(await by('conflict')).toHaveTextContent('“Theme” was changed elsewhere to Light while you chose Dark.');
    await fireEvent.click(screen.getByText('Use mine'));
    await waitFor(() => expect(host.settings.settings.look?.theme).toBe('dark'));
  });

  it('is reached by keyboard', async () => {
    await open();
    await fireEvent.keyDown(window, { key: ',', ctrlKey: true });
    expect(await by('setting-port')).toBeInTheDocument();
    await fireEvent.keyDown(window, { key: '1', ctrlKey: true });
    expect(await by('state')).toBeInTheDocument();
  });
});
