// What the pages show and what they can change. Every change goes through the admin API and comes back as an event.
import { Query } from './query.svelte';
import { take, type AccountView, type Api, type FlowView, type ImportResult, type ClientKey } from './client';
import type { KeyChange, ModelList, NameTestResult, PortView, SettingsView, Status } from './client';

/** How many recent requests the window keeps in view. */
const RECENT = 20;

export interface ImportInput {
  content: string;
  companions?: { name: string; content: string }[];
}

export class Queries {
  readonly status: Query<Status>;
  readonly settings: Query<SettingsView>;
  readonly accounts: Query<AccountView[]>;
  readonly keys: Query<ClientKey[]>;
  readonly flows: Query<FlowView[]>;
  /** Read by the pages that show it; the upstream may have to be asked first. */
  readonly models: Query<ModelList>;
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
    this.status = new Query(() => take(api.GET('/api/status')));
    this.settings = new Query(() => take(api.GET('/api/settings')));
    this.accounts = new Query(async () => (await take(api.GET('/api/accounts'))).accounts);
    this.keys = new Query(async () => (await take(api.GET('/api/keys'))).keys);
    this.models = new Query(() => take(api.GET('/api/models')));
    this.flows = new Query(
      async () => (await take(api.GET('/api/flows', { params: { query: { limit: RECENT } } }))).flows,
    );
  }

  /** Reads everything again: at the start, after a lost event stream, when the window comes back. */
  async refreshAll(): Promise<void> {
    const all = [this.status, this.settings, this.accounts, this.keys, this.flows];
    await Promise.all([...all.map((query) => query.refresh()), this.modelsAgain()]);
  }

  /** Reads the models again if a page has shown them. */
  async modelsAgain(): Promise<void> {
    if (this.models.data || this.models.error) await this.models.refresh();
  }

  /** Lets the gateway ask the upstream again. */
  async refreshModels(): Promise<void> {
    this.models.set(await take(this.#api.POST('/api/models/refresh')));
  }

  testName(name: string, keyId?: string): Promise<NameTestResult> {
    return take(this.#api.POST('/api/models/test', { body: { name, ...(keyId === undefined ? {} : { keyId }) } }));
  }

  async changeKey(id: string, body: KeyChange): Promise<void> {
    await take(this.#api.PATCH('/api/keys/{id}', { params: { path: { id } }, body }));
    await this.keys.refresh();
  }

  async setListening(listening: boolean): Promise<void> {
    try {
      this.status.set(await take(this.#api.POST('/api/listener', { body: { listening } })));
    } catch (error) {
      await this.status.refresh(); // the status names the problem as well
      throw error;
    }
  }

  async patchSettings(revision: number, patch: Record<string, unknown>): Promise<void> {
    this.settings.set(await take(this.#api.PATCH('/api/settings', { body: { revision, patch: patch as never } })));
  }

  port(port: number): Promise<PortView> {
    return take(this.#api.GET('/api/ports/{port}', { params: { path: { port } } }));
  }

  async addDemoAccount(): Promise<AccountView> {
    const account = await take(this.#api.POST('/api/accounts/demo'));
    await Promise.all([this.accounts.refresh(), this.status.refresh()]);
    return account;
  }

  async importAccounts(input: ImportInput): Promise<ImportResult> {
    const result = await take(this.#api.POST('/api/accounts/import', { body: input }));
    await Promise.all([this.accounts.refresh(), this.status.refresh()]);
    return result;
  }

  async removeAccount(id: string): Promise<void> {
    await take(this.#api.DELETE('/api/accounts/{id}', { params: { path: { id } } }));
    await Promise.all([this.accounts.refresh(), this.status.refresh()]);
  }

  async revealKey(id: string): Promise<string> {
    return (await take(this.#api.POST('/api/keys/{id}/reveal', { params: { path: { id } } }))).secret;
  }
}
