// The settings page: what comes from outside, patience, and settings as a file.
import { fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeHost, json } from './fake-host';
import { by, choose, click, none, openApp } from './harness';

let host: FakeHost;
beforeEach(() => (host = new FakeHost()));

describe('what the environment sets', () => {
  it('names the variable beside a setting, and every inherited name with what became of it', async () => {
    host.settings.overrides = [{ path: 'logs.level', source: 'environment', variable: 'KIRO_LOG_LEVEL', value: 'debug' }];
    host.settings.inherited = [
      { name: 'KIRO_LOG_LEVEL', setting: 'logs.level', effect: 'set' },
      { name: 'KIRO_SERVER_HOST', setting: 'listener.host', effect: 'notLoopback' },
    ];
    await openApp(host, 'settings');
    expect(await by('override-logs.level')).toHaveTextContent('KIRO_LOG_LEVEL');
    const items = within(await by('inherited')).getAllByRole('listitem');
    expect(items.map((item) => item.textContent?.replaceAll(/\s+/g, ' ').trim())).toEqual([
      'KIRO_LOG_LEVEL Sets “Log level”.',
      'KIRO_SERVER_HOST Please note No effect: the gateway listens on this computer only.',
    ]);
  });

  it('says nothing when there is nothing to say', async () => {
    await openApp(host, 'settings');
    await by('setting-theme');
    expect(none('inherited')).toBe(true);
  });
});

describe('patience with the service', () => {
  it('sets all its values at once, and calls values of a person their own', async () => {
    await openApp(host, 'settings');
    expect(await by('retry-policy')).toHaveValue('normal');
    await choose('retry-policy', 'persistent');
    await waitFor(async () => expect(await by('retry-policy')).toHaveValue('persistent'));
    const patch = { limits: { retries: 5, attempts: 16, retryDelayMilliseconds: 400 } };
    expect(host.calls.find(({ call }) => call === 'PATCH /api/settings')?.body).toEqual({ revision: 1, patch });
    host.set('limits', { retries: 3 });
    await openApp(host, 'settings');
    await waitFor(() => expect(screen.getAllByTestId('retry-policy').at(-1)).toHaveValue('custom'));
  });

  it('is locked while the environment sets one of its values', async () => {
    host.settings.overrides = [{ path: 'limits.retries', source: 'environment', variable: 'KIRO_MAX_RETRIES', value: 3 }];
    await openApp(host, 'settings');
    expect(await by('retry-policy')).toBeDisabled();
  });
});

describe('settings as a file', () => {
  // The test's DOM cannot read files.
  const fileOf = (text: string) => Object.assign(new File([text], 'settings.json'), { text: () => Promise.resolve(text) });
  const change = { path: 'limits.retries', from: 2, to: 4 };

  it('saves what was changed', async () => {
    host.special.set('GET /api/settings/export', () => json({ fileName: 'kiro-proxy-settings.json', content: '{}' }));
    await openApp(host, 'settings');
    await click('settings-export');
    await waitFor(() => expect(host.saved).toEqual([{ fileName: 'kiro-proxy-settings.json', content: '{}' }]));
  });

  it('shows what a file would change before it is taken over', async () => {
    const asked: unknown[] = [];
    host.special.set('POST /api/settings/import', (request) => {
      const body = JSON.parse(String(request.body)) as { preview: boolean };
      asked.push(body);
      return json({ changes: [change], unknown: ['moon.phase'], saved: !body.preview });
    });
    await openApp(host, 'settings');
    await fireEvent.change(await by('settings-file'), { target: { files: [fileOf('{"kind": "x"}')] } });
    expect(await by('settings-preview')).toHaveTextContent('2 → 4');
    expect(await by('settings-preview')).toHaveTextContent('moon.phase');
    await click('settings-take');
    await waitFor(() => expect(none('settings-preview')).toBe(true));
    expect(asked).toEqual([
      { content: '{"kind": "x"}', preview: true },
      { content: '{"kind": "x"}', preview: false },
    ]);
  });

  it('says what is wrong with a file and changes nothing', async () => {
    host.special.set('POST /api/settings/import', () => json({ code: 'invalid_request', message: 'this is no file of settings' }, 400));
    await openApp(host, 'settings');
    await fireEvent.change(await by('settings-file'), { target: { files: [fileOf('x')] } });
    expect(await screen.findByText(/no file of settings/)).toBeInTheDocument();
    expect(none('settings-preview')).toBe(true);
  });
});
