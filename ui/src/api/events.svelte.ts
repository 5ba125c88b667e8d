// Follows the gateway's events and reads again what they name. Comes back by itself after a broken connection.
import { asApiError, problemOf, type AdminEvent, type ApiError, type NotificationEvent } from './client';
import type { Host } from './host';
import type { Queries } from './queries';
import { serverEvents } from './sse';

/** Pauses between attempts in milliseconds; the last one repeats. */
const PAUSES = [500, 1000, 2000, 5000, 10000];

/** How long after a request the accounts are read again, in milliseconds. */
const COUNTED = 1000;

/** Waits, unless told to stop. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

export class EventFollower {
  /** Why the gateway cannot be heard right now; undefined while all is well. */
  lost: ApiError | undefined = $state.raw();
  readonly #host: Host;
  readonly #queries: Queries;
  readonly #tell: (event: NotificationEvent) => void;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(host: Host, queries: Queries, tell: (event: NotificationEvent) => void) {
    this.#host = host;
    this.#queries = queries;
    this.#tell = tell;
  }

  /** Follows until the returned function is called. */
  start(): () => void {
    const stop = new AbortController();
    void this.#follow(stop.signal);
    return () => {
      stop.abort();
      clearTimeout(this.#soon);
    };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const response = await this.#host.fetch('/api/events', { signal });
        if (!response.ok) throw await problemOf(response);
        this.lost = undefined;
        failures = 0;
        void this.#queries.refreshAll(); // whatever happened while nobody listened
        for await (const event of serverEvents(response)) this.#apply(event.data);
      } catch (error) {
        if (signal.aborted) return;
        // One broken connection is no news; a second attempt that fails is.
        if (failures > 0) this.lost = asApiError(error);
        // The pages have not read anything yet: they must not stay empty because nobody can be heard.
        else if (this.#queries.settings.data === undefined) void this.#queries.refreshAll();
      }
      await pause(PAUSES[Math.min(failures, PAUSES.length - 1)] ?? 0, signal);
      failures += 1;
    }
  }

  /** A request changed what an account has in use and has used; under load they are read once a second, not once a request. */
  #accountsSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#queries.accounts.refresh();
    }, COUNTED);
  }

  #apply(data: string): void {
    let event: AdminEvent;
    try {
      event = JSON.parse(data) as AdminEvent;
    } catch {
      return; // a newer gateway may say things this page does not know
    }
    const { status, settings, accounts, keys, flows } = this.#queries;
    switch (event.type) {
      case 'status':
        status.set(event.status);
        break;
      case 'settings':
        void settings.refresh();
        break;
      case 'accounts':
        void accounts.refresh();
        void status.refresh();
        void this.#queries.modelsAgain();
        break;
      case 'keys':
        void keys.refresh();
        break;
      case 'flows':
        void flows.refresh();
        this.#accountsSoon();
        break;
      case 'logins':
        void this.#queries.logins.list.refresh();
        break;
      case 'openSignIn':
        break; // for the desktop shell, which opens the window
      case 'notification':
        this.#tell(event);
        break;
    }
  }
}
