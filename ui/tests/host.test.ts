import { clearMocks, mockIPC } from '@tauri-apps/api/mocks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { browserHost } from '../src/api/host.browser';
import { tauriHost, type BridgeChunk, type BridgeRequest } from '../src/api/host.tauri';

/** What the shell got, and a way to answer it. */
function shell() {
  const requests: BridgeRequest[] = [];
  const senders = new Map<string, (chunk: BridgeChunk) => void>();
  mockIPC((command, args) => {
    expect(command).toBe('admin_request');
    const { request, onChunk } = args as { request: BridgeRequest; onChunk: { id: number } };
    requests.push(request);
    if (request.method === 'CANCEL') return undefined;
    let index = 0;
    const internals = (window as unknown as { __TAURI_INTERNALS__: { runCallback(id: number, data: unknown): void } })
      .__TAURI_INTERNALS__;
    senders.set(request.id, (message) => internals.runCallback(onChunk.id, { index: index++, message }));
    return undefined;
  });
  return {
    requests,
    answer(...chunks: BridgeChunk[]) {
      const last = requests.filter((request) => request.method !== 'CANCEL').at(-1);
      for (const chunk of chunks) senders.get(last?.id ?? '')?.(chunk);
    },
  };
}
const head = (status: number): BridgeChunk => ({ kind: 'head', status, headers: { 'content-type': 'application/json' } });

afterEach(() => {
  clearMocks();
  vi.unstubAllGlobals();
});

describe('the desktop host', () => {
  it('sends method, path and body, and gives back status, headers and body', async () => {
    const bridge = shell();
    const answer = tauriHost().fetch('/api/accounts/import', { method: 'POST', body: '{"content":"x"}' });
    expect(bridge.requests).toMatchObject([{ method: 'POST', path: '/api/accounts/import', body: '{"content":"x"}' }]);
    bridge.answer(head(422), { kind: 'body', text: '{"code":' }, { kind: 'body', text: '"nothing_to_import"}' }, { kind: 'end' });
    const response = await answer;
    expect([response.status, response.headers.get('content-type')]).toEqual([422, 'application/json']);
    expect(await response.json()).toEqual({ code: 'nothing_to_import' });
  });

  it('gives the answer before it has ended, so that it can be read as it streams', async () => {
    const bridge = shell();
    const answer = tauriHost().fetch('/api/events');
    bridge.answer(head(200), { kind: 'body', text: 'first' });
    const reader = (await answer).body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('first');
    bridge.answer({ kind: 'body', text: 'second' });
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('second');
  });

  it('takes an answer without a body', async () => {
    const bridge = shell();
    const answer = tauriHost().fetch('/api/accounts/1', { method: 'DELETE' });
    bridge.answer(head(204), { kind: 'end' });
    expect((await answer).status).toBe(204);
  });

  it('cancels the request in the shell when it is aborted, before and during the answer', async () => {
    const bridge = shell();
    const early = new AbortController();
    const first = tauriHost().fetch('/api/try', { method: 'POST', body: '{}', signal: early.signal });
    early.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });

    const late = new AbortController();
    const second = tauriHost().fetch('/api/try', { method: 'POST', body: '{}', signal: late.signal });
    bridge.answer(head(200));
    const reading = (await second).text();
    late.abort();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });

    const [one, cancelOne, two, cancelTwo] = bridge.requests;
    expect(cancelOne).toEqual({ id: one?.id, method: 'CANCEL', path: '', body: null });
    expect(cancelTwo).toEqual({ id: two?.id, method: 'CANCEL', path: '', body: null });
    expect(one?.id).not.toBe(two?.id);
  });

  it('cancels the request in the shell when nobody reads on', async () => {
    const bridge = shell();
    const answer = tauriHost().fetch('/api/events');
    bridge.answer(head(200));
    await (await answer).body?.cancel();
    expect(bridge.requests.at(-1)).toMatchObject({ method: 'CANCEL', id: bridge.requests[0]?.id });
  });

  it('asks nobody when it was aborted before it began', async () => {
    const bridge = shell();
    await expect(tauriHost().fetch('/api/status', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect(bridge.requests).toEqual([]);
  });

  it('fails when the bridge fails, before and during the answer', async () => {
    const bridge = shell();
    const first = tauriHost().fetch('/api/status');
    bridge.answer({ kind: 'error', message: 'no router' });
    await expect(first).rejects.toThrow('no router');
    const second = tauriHost().fetch('/api/events');
    bridge.answer(head(200), { kind: 'error', message: 'broke off' });
    await expect((await second).text()).rejects.toThrow('broke off');
  });

  it('fails when the command is refused', async () => {
    mockIPC(() => Promise.reject('not allowed'));
    await expect(tauriHost().fetch('/api/status')).rejects.toThrow('not allowed');
  });

  it('copies through the shell when the webview refuses', async () => {
    const bridge = shell();
    vi.stubGlobal('navigator', { clipboard: { writeText: () => Promise.reject(new Error('denied')) } });
    const copied = tauriHost().copy('text');
    await vi.waitFor(() => expect(bridge.requests).toHaveLength(1));
    expect(bridge.requests).toMatchObject([{ method: 'POST', path: '/shell/clipboard', body: '{"text":"text"}' }]);
    bridge.answer(head(204), { kind: 'end' });
    await copied;
  });
});

describe('the browser host', () => {
  it('asks its own origin and says that a body is JSON', async () => {
    const asked = vi.fn(() => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', asked);
    await browserHost().fetch('/api/listener', { method: 'POST', body: '{"listening":true}' });
    expect(asked).toHaveBeenCalledWith('/api/listener', {
      method: 'POST',
      body: '{"listening":true}',
      headers: { 'content-type': 'application/json' },
      cache: 'no-store',
      credentials: 'same-origin',
    });
  });
});
