// Everything the pages share, made once per window and handed down through Svelte's context.
import { getContext, setContext } from 'svelte';
import { createApi } from './api/client';
import { EventFollower } from './api/events.svelte';
import type { Host } from './api/host';
import { Queries } from './api/queries';
import { AccountsView } from './accounts-view.svelte';
import { Clock } from './clock.svelte';
import { I18n } from './i18n.svelte';
import { Overlay } from './overlay.svelte';
import { Router } from './router.svelte';
import { Toasts } from './toasts.svelte';

export class Session {
  readonly i18n = new I18n();
  readonly router = new Router();
  readonly toasts = new Toasts();
  readonly clock = new Clock();
  readonly overlay = new Overlay();
  readonly accountsView = new AccountsView();
  readonly queries: Queries;
  readonly events: EventFollower;

  constructor(readonly host: Host) {
    this.queries = new Queries(createApi(host));
    this.events = new EventFollower(host, this.queries, (event) => this.toasts.tell(event));
  }
}

const KEY = Symbol('session');

export function provideSession(session: Session): void {
  setContext(KEY, session);
}

export function useSession(): Session {
  return getContext<Session>(KEY);
}
