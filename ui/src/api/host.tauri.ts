// The window of the desktop app. The only file that knows Tauri.
//
// The bridge is one command:
//
//   invoke('admin_request', { request: { id, method, path, body }, onChunk: Channel<BridgeChunk> })
//
// `id` is unique within the page, `body` is JSON text or null. The command may resolve at any time; the answer comes
// through the channel, in this order: one `head`, any number of `body`, one `end`. An `error` may take the place of
// any of them and is the last chunk. A rejected command counts as an `error` when nothing has ended the answer yet.
// A request is dropped by the same command with method `CANCEL`, the request's id, an empty path and body null; after
// that the shell may send nothing more for this id.
//
// Paths below `/shell/` are answered by the shell itself, before the admin router: `POST /shell/clipboard {text}` and
// `POST /shell/save {fileName, content}`, which asks where to and answers `{path}`, null when the person cancelled.
import { Channel, invoke } from '@tauri-apps/api/core';
import { problemOf } from './client';
import type { Host, HostRequest } from './host';

/** One piece of an answer on its way through the bridge. */
export type BridgeChunk =
  | { kind: 'head'; status: number; headers: Record<string, string> }
  | { kind: 'body'; text: string }
  | { kind: 'end' }
  | { kind: 'error'; message: string };

/** What the command takes as `request`. */
export interface BridgeRequest {
  id: string;
  method: string;
  path: string;
  body: string | null;
}

/** Statuses whose answers must not have a body. */
const BODILESS = new Set([101, 204, 205, 304]);

function send(request: BridgeRequest, onChunk: Channel<BridgeChunk>): Promise<unknown> {
  return invoke('admin_request', { request, onChunk });
}

function abortError(): DOMException {
  return new DOMException('The request was stopped.', 'AbortError');
}

function bridgeFetch(path: string, options: HostRequest = {}): Promise<Response> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(abortError());
  const id = crypto.randomUUID();

  return new Promise<Response>((resolve, reject) => {
    const encoder = new TextEncoder();
    const channel = new Channel<BridgeChunk>();
    let body: ReadableStreamDefaultController<Uint8Array> | undefined;
    let over = false;

    const finish = () => {
      over = true;
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: Error) => {
      if (over) return;
      finish();
      reject(error); // does nothing once the head was delivered
      body?.error(error);
    };
    const cancel = () => {
      // Nobody waits for the answer any more, so there is nobody to tell when this fails.
      send({ id, method: 'CANCEL', path: '', body: null }, new Channel<BridgeChunk>()).catch(() => undefined);
    };
    const onAbort = () => {
      if (over) return;
      cancel();
      fail(abortError());
    };
    signal?.addEventListener('abort', onAbort, { once: true });

    channel.onmessage = (chunk) => {
      if (over) return;
      switch (chunk.kind) {
        case 'head': {
          const stream = new ReadableStream<Uint8Array>({
            start: (controller) => void (body = controller),
            cancel: () => {
              if (over) return;
              finish();
              cancel();
            },
          });
          const init = { status: chunk.status, headers: chunk.headers };
          resolve(new Response(BODILESS.has(chunk.status) ? null : stream, init));
          break;
        }
        case 'body':
          body?.enqueue(encoder.encode(chunk.text));
          break;
        case 'end':
          if (!body) return fail(new Error('The answer ended before it began.'));
          finish();
          body.close();
          break;
        case 'error':
          fail(new Error(chunk.message));
          break;
      }
    };

    const request = { id, method: options.method ?? 'GET', path, body: options.body ?? null };
    send(request, channel).catch((error: unknown) => fail(new Error(String(error))));
  });
}

export function tauriHost(): Host {
  return {
    kind: 'desktop',
    fetch: bridgeFetch,
    async copy(text) {
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        // Webviews refuse the clipboard without a fresh click; the shell may always write.
        const answer = await bridgeFetch('/shell/clipboard', { method: 'POST', body: JSON.stringify({ text }) });
        if (!answer.ok) throw new Error(`clipboard: ${answer.status}`);
      }
    },
    async save(fileName, content) {
      const answer = await bridgeFetch('/shell/save', { method: 'POST', body: JSON.stringify({ fileName, content }) });
      if (answer.status === 404) return 'unsupported';
      if (!answer.ok) throw await problemOf(answer);
      return ((await answer.json()) as { path?: string | null }).path == null ? 'cancelled' : 'saved';
    },
  };
}
