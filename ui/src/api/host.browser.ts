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
    async save(fileName, content) {
      const url = URL.createObjectURL(new Blob([content], { type: 'application/json' }));
      const link = document.createElement('a');
      link.href = url;
      link.download = fileName;
      link.click();
      // The browser has read the address by the next turn.
      setTimeout(() => URL.revokeObjectURL(url));
      return 'saved';
    },
  };
}
