// An ordinary browser: the admin API is on the same origin.
import type { Host } from './host';

export function browserHost(): Host {
  return {
    kind: 'browser',
    fetch(path, request = {}) {
      const init: RequestInit = { method: request.method ?? 'GET', cache: 'no-store', credentials: 'same-origin' };
      if (request.body !== undefined) {
        init.body = request.body;
        init.headers = { 'content-type': 'application/json' };
      }
      if (request.signal) init.signal = request.signal;
      return fetch(path, init);
    },
    async copy(text) {
      await navigator.clipboard.writeText(text);
    },
  };
}
