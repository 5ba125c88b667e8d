// Sign-ins on their way. Several can run at once; each is a view of the gateway's, read again whenever it says so.
import { take, type Api, type LoginView, type NewLogin, type OpenAgain } from './client';
import { Query } from './query.svelte';

/** Whether a sign-in still waits for something. */
export function isOpen(login: LoginView): boolean {
  switch (login.state) {
    case 'waiting':
    case 'exchanging':
    case 'inspecting':
    case 'chooseProfile':
      return true;
    case 'done':
    case 'failed':
    case 'cancelled':
    case 'expired':
      return false;
  }
}

export class Logins {
  readonly list: Query<LoginView[]>;
  readonly #api: Api;
  /** Ends that were read and put away. */
  #dismissed: ReadonlySet<string> = $state.raw(new Set());
  /** Those begun in this window: only their ends are news here. */
  #own: ReadonlySet<string> = $state.raw(new Set());

  constructor(api: Api) {
    this.#api = api;
    this.list = new Query(async () => (await take(api.GET('/api/logins'))).logins);
  }

  /** What is shown: everything under way, and the ends of what was begun here. */
  get shown(): LoginView[] {
    const all = this.list.data ?? [];
    return all.filter((login) => !this.#dismissed.has(login.id) && (isOpen(login) || this.#own.has(login.id)));
  }

  async start(body: NewLogin): Promise<LoginView> {
    const login = await take(this.#api.POST('/api/logins', { body }));
    this.#own = new Set([...this.#own, login.id]);
    this.#put(login);
    return login;
  }

  async paste(id: string, text: string): Promise<void> {
    this.#put(await take(this.#api.POST('/api/logins/{id}/paste', { ...about(id), body: { text } })));
  }

  async choose(id: string, arn: string): Promise<void> {
    this.#put(await take(this.#api.POST('/api/logins/{id}/profile', { ...about(id), body: { arn } })));
  }

  async open(id: string, body: OpenAgain): Promise<void> {
    this.#put(await take(this.#api.POST('/api/logins/{id}/open', { ...about(id), body })));
  }

  /** Ends it and puts it away. */
  async cancel(id: string): Promise<void> {
    await take(this.#api.DELETE('/api/logins/{id}', about(id)));
    this.dismiss(id);
    await this.list.refresh();
  }

  dismiss(id: string): void {
    this.#dismissed = new Set([...this.#dismissed, id]);
  }

  #put(login: LoginView): void {
    const others = (this.list.data ?? []).filter((one) => one.id !== login.id);
    this.list.set([...others, login].sort((a, b) => a.startedAt - b.startedAt));
  }
}

function about(id: string) {
  return { params: { path: { id } } };
}
