// Everything by the keyboard: the palette, the map of keys, and the list of accounts.
import { cleanup, fireEvent, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stepTo } from '../src/keys';
import { account, FakeHost } from './fake-host';
import { by, click, none, openApp, rows, type } from './harness';

let host: FakeHost;
beforeEach(() => {
  localStorage.clear();
  host = new FakeHost();
});
afterEach(cleanup);

const press = (key: string, more: KeyboardEventInit = {}) => fireEvent.keyDown(document.activeElement ?? document.body, { key, ...more });
const focused = () => (document.activeElement as HTMLElement | null)?.dataset['id'];
const commands = () => screen.queryAllByTestId('command').map((one) => one.dataset['id']);

describe('the palette', () => {
  async function palette(search = '') {
    await press('k', { ctrlKey: true });
    await by('commands');
    if (search !== '') await type('command-search', search);
  }

  it('opens by Ctrl+K and by its button, and gives the keyboard back', async () => {
    await openApp(host);
    const button = await by('open-commands');
    button.focus();
    await palette();
    expect(await by('command-search')).toHaveFocus();
    expect(document.querySelector<HTMLElement>('.frame')?.inert).toBe(true);
    await press('Escape');
    expect(none('commands')).toBe(true);
    await waitFor(() => expect(button).toHaveFocus());
    expect(document.querySelector<HTMLElement>('.frame')?.inert).toBe(false);
    await click('open-commands');
    expect(await by('commands')).toBeInTheDocument();
  });

  it('goes to a page by a few letters and Enter', async () => {
    await openApp(host);
    await palette('go usa');
    expect(commands()).toEqual(['go.usage']);
    await press('Enter');
    await waitFor(() => expect(location.hash).toBe('#/usage'));
    expect(none('commands')).toBe(true);
  });

  it('is moved through by arrows, and tells which one is chosen', async () => {
    await openApp(host);
    await palette('go to');
    await press('ArrowDown');
    await press('ArrowDown');
    await press('ArrowUp');
    const chosen = screen.getAllByTestId('command').filter((one) => one.getAttribute('aria-selected') === 'true');
    expect(chosen.map((one) => one.dataset['id'])).toEqual(['go.accounts']);
    expect(await by('command-search')).toHaveAttribute('aria-activedescendant', chosen[0]?.id);
    await press('Enter');
    await waitFor(() => expect(location.hash).toBe('#/accounts'));
  });

  it('switches accounts, copies the address and refreshes all tokens', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    await openApp(host);
    await by('account-name');
    await palette('use only bob');
    await press('Enter');
    await waitFor(() => expect(host.only).toBe('a2'));
    await palette('copy address');
    await press('Enter');
    await waitFor(() => expect(host.copied).toEqual(['http://127.0.0.1:8080']));
    await palette('refresh tokens');
    await press('Enter');
    await waitFor(() => expect(host.count('POST /api/accounts/refresh')).toBe(1));
  });

  it('says why something failed', async () => {
    host.accounts = [account(), account({ id: 'a2', label: 'bob' })];
    host.special.set('PUT /api/accounts/only', () => new Response(JSON.stringify({ code: 'storage', message: 'no' }), { status: 500 }));
    await openApp(host);
    await by('account-name');
    await palette('use only bob');
    await press('Enter');
    expect(await screen.findByText('A file of Kiro Proxy cannot be read or written.')).toBeInTheDocument();
  });

  it('finds every setting, brings it into view, and sets the ones with a few choices', async () => {
    await openApp(host);
    await palette('retries');
    await click('command');
    await waitFor(() => expect(location.hash).toBe('#/settings'));
    await waitFor(async () => expect(await by('setting-retries')).toHaveFocus());
    await palette('theme dark');
    expect(commands()).toEqual(['set.look.theme.dark']);
    await press('Enter');
    await waitFor(() => expect(document.documentElement.dataset['theme']).toBe('dark'));
  });

  it('says so when nothing is called like that', async () => {
    await openApp(host);
    await palette('zzzz');
    expect(await by('no-command')).toBeInTheDocument();
    await press('Enter');
    expect(await by('commands')).toBeInTheDocument();
  });

  it('speaks Chinese', async () => {
    host.set('look', { language: 'zh-CN' });
    await openApp(host);
    await waitFor(() => expect(document.documentElement.lang).toBe('zh-CN'));
    await palette('前往 用量');
    expect(commands()).toEqual(['go.usage']);
  });

  it('leaves the letters of an unfinished composition alone', async () => {
    await openApp(host);
    await palette('go to');
    await press('Enter', { isComposing: true });
    expect(await by('commands')).toBeInTheDocument();
  });
});

describe('the map of keys', () => {
  it('is shown by a question mark, except where one is typed', async () => {
    host.accounts = [account()];
    await openApp(host, 'accounts');
    (await by('search')).focus();
    await press('?', { shiftKey: true });
    expect(none('keys-help')).toBe(true);
    (document.activeElement as HTMLElement).blur();
    await press('?', { shiftKey: true });
    expect(await by('keys-help')).toHaveTextContent('Next account');
    await click('keys-close');
    expect(none('keys-help')).toBe(true);
  });
});

describe('the list of accounts', () => {
  beforeEach(() => {
    host.accounts = ['a', 'b', 'c'].map((id) => account({ id, label: id }));
  });

  it.each(['cards', 'table'])('is walked through with J and K as %s', async (look) => {
    await openApp(host, 'accounts');
    await click(`look-${look}`);
    await waitFor(() => expect(rows()).toEqual(['a', 'b', 'c']));
    for (const [key, at] of [['j', 'a'], ['j', 'b'], ['j', 'c'], ['j', 'c'], ['k', 'b']] as const) {
      await press(key);
      expect(focused()).toBe(at);
    }
  });

  it('opens details with Space, which follow J and K and close again', async () => {
    await openApp(host, 'accounts');
    await waitFor(() => expect(rows()).toHaveLength(3));
    await press('j');
    await press(' ');
    expect(await by('details')).toHaveAttribute('aria-label', 'Details of a');
    await press('j');
    await waitFor(async () => expect(await by('details')).toHaveAttribute('aria-label', 'Details of b'));
    await press(' ');
    await waitFor(() => expect(none('details')).toBe(true));
    await waitFor(() => expect(focused()).toBe('b'));
  });

  it('leaves letters to the fields', async () => {
    await openApp(host, 'accounts');
    const search = await by('search');
    search.focus();
    await press('j');
    expect(search).toHaveFocus();
  });

  it('copies who an account is', async () => {
    host.accounts = [account({ label: 'work', email: 'me@example.com' })];
    await openApp(host, 'accounts');
    await waitFor(() => expect(rows()).toHaveLength(1));
    await press('j');
    await press('c', { ctrlKey: true });
    await waitFor(() => expect(host.copied).toEqual(['work · me@example.com']));
  });

  it('takes a removed account back with Ctrl+Z', async () => {
    await openApp(host, 'accounts');
    await waitFor(() => expect(rows()).toHaveLength(3));
    await fireEvent.click(screen.getAllByTestId('remove-account')[1] as HTMLElement);
    await click('confirm-remove');
    await by('removed');
    await press('z', { ctrlKey: true });
    await waitFor(() => expect(rows()).toEqual(['a', 'b', 'c']));
  });
});

it('a step leads to an end from nowhere, and never over one', () => {
  expect([stepTo(-1, 1, 3), stepTo(-1, -1, 3), stepTo(2, 1, 3), stepTo(0, -1, 3), stepTo(0, 1, 3)]).toEqual([0, 2, 2, 0, 1]);
});
