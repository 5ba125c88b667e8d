// What the pages show and what they can change. Every change goes through the admin API and comes back as an event.
import { Query } from './query.svelte';
import { AccountCalls } from './account-calls';
import { take, type AccountList, type AccountView, type Api, type ClientKey, type FlowView } from './client';
import { Logins } from './logins.svelte';
import { RequestCalls } from './request-calls';
import type { KeyChange, ModelList, NameTestResult, NetworkProxy, PortView } from './client';
import type { ProxyLogin, ProxyTest, SettingsFile, SettingsImport, SettingsView, Status } from './client';
import type { BrowserList, SpeedReport, UsageBy, UsageRow, VaultChange, VaultMove, VaultNewKey, VaultUnlock, VaultView } from './client';

/** How many recent requests the window keeps in view. */
const RECENT = 20;

export class Queries {
  readonly status: Query<Status>;
  readonly settings: Query<SettingsView>;
  readonly accounts: Query<AccountList>;
  readonly keys: Query<ClientKey[]>;
  readonly flows: Query<FlowView[]>;
  /** Read by the pages that show it; the upstream may have to be asked first. */
  readonly models: Query<ModelList>;
  /** Browsers of this machine; read where a sign-in can open one. */
  readonly browsers: Query<BrowserList>;
  /** Addresses of this machine that other devices reach. */
  readonly addresses: Query<string[]>;
  /** Read by the page that shows it. */
  readonly vault: Query<VaultView>;
  /** The proxy of everything and its login; read by the page that shows it. */
  readonly network: Query<NetworkProxy>;
  readonly logins: Logins;
  /** What can be done with accounts. */
  readonly account: AccountCalls;
  /** Records of requests. */
  readonly request: RequestCalls;
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
    this.status = new Query(() => take(api.GET('/api/status')));
    this.settings = new Query(() => take(api.GET('/api/settings')));
    this.accounts = new Query(() => take(api.GET('/api/accounts')));
    this.logins = new Logins(api);
    this.request = new RequestCalls(api);
    this.account = new AccountCalls(api, () => this.accountsAgain());
    this.browsers = new Query(() => take(api.GET('/api/browsers')));
    this.addresses = new Query(async () => (await take(api.GET('/api/network/addresses'))).addresses);
    this.vault = new Query(() => take(api.GET('/api/vault')));
    this.network = new Query(() => take(api.GET('/api/network/proxy')));
    this.keys = new Query(async () => (await take(api.GET('/api/keys'))).keys);
    this.models = new Query(() => take(api.GET('/api/models')));
    this.flows = new Query(
      async () => (await take(api.GET('/api/flows', { params: { query: { limit: RECENT } } }))).flows,
    );
  }

  /** Reads everything again: at the start, after a lost event stream, when the window comes back. */
  async refreshAll(): Promise<void> {
    const all = [this.status, this.settings, this.accounts, this.keys, this.flows, this.logins.list];
    await Promise.all([...all.map((query) => query.refresh()), this.modelsAgain(), this.vaultAgain()]);
  }

  /** Reads the models again if a page has shown them. */
  async modelsAgain(): Promise<void> {
    if (this.models.data || this.models.error) await this.models.refresh();
  }

  /** Reads the accounts again, and what counts them. */
  async accountsAgain(): Promise<void> {
    await Promise.all([this.accounts.refresh(), this.status.refresh()]);
  }

  /** Reads the place for secrets again if a page has shown it. */
  async vaultAgain(): Promise<void> {
    if (this.vault.data || this.vault.error) await this.vault.refresh();
  }

  async lockVault(): Promise<void> {
    await this.#vaultThen(take(this.#api.POST('/api/vault/lock')));
  }

  async unlockVault(body: VaultUnlock): Promise<void> {
    await this.#vaultThen(take(this.#api.POST('/api/vault/unlock', { body })));
  }

  rekeyVault(body: VaultNewKey): Promise<VaultChange> {
    return this.#vaultThen(take(this.#api.POST('/api/vault/rekey', { body })));
  }

  moveSecrets(body: VaultMove): Promise<VaultChange> {
    return this.#vaultThen(take(this.#api.POST('/api/vault/migrate', { body })));
  }

  /** A call that fails can change the state, too, such as a wrong key. */
  async #vaultThen<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } finally {
      await Promise.all([this.vault.refresh(), this.accountsAgain()]);
    }
  }

  async setProxyLogin(body: ProxyLogin): Promise<true> {
    this.network.set(await take(this.#api.PUT('/api/network/proxy/login', { body })));
    return true;
  }

  async forgetProxyLogin(): Promise<true> {
    this.network.set(await take(this.#api.DELETE('/api/network/proxy/login')));
    return true;
  }

  /** Tries the way of everything to the service, without a credential of an account. */
  testProxy(): Promise<ProxyTest> {
    return take(this.#api.POST('/api/network/proxy/test'));
  }

  /** Opens the provider's support page in the person's browser. */
  async openSupport(): Promise<true> {
    await take(this.#api.POST('/api/support/open'));
    return true;
  }

  async usage(by: UsageBy, days: number): Promise<UsageRow[]> {
    return (await take(this.#api.GET('/api/usage', { params: { query: { by, days } } }))).rows;
  }

  /** On the way of one account, or as everything goes. */
  speedTest(account?: string): Promise<SpeedReport> {
    return take(this.#api.POST('/api/speed-test', { body: account === undefined ? {} : { account } }));
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

  /** The saved settings as a file, and such a file back. */
  readonly settingsFile = {
    export: (): Promise<SettingsFile> => take(this.#api.GET('/api/settings/export')),
    import: async (content: string, preview: boolean): Promise<SettingsImport> => {
      const result = await take(this.#api.POST('/api/settings/import', { body: { content, preview } }));
      if (result.saved) await this.settings.refresh();
      return result;
    },
  };

  port(port: number): Promise<PortView> {
    return take(this.#api.GET('/api/ports/{port}', { params: { path: { port } } }));
  }

  async addDemoAccount(): Promise<AccountView> {
    const account = await take(this.#api.POST('/api/accounts/demo'));
    await this.accountsAgain();
    return account;
  }

  async revealKey(id: string): Promise<string> {
    return (await take(this.#api.POST('/api/keys/{id}/reveal', { params: { path: { id } } }))).secret;
  }
}
