// What a person can do with accounts. Each call reads the accounts again, so that no page shows what was.
import { take, type AccountChange, type AccountView, type Api, type CheckedAccount, type ExportResult } from './client';
import type { ImportRequest, ImportResult, LinkChange, ManualAccount, ProxyTest, QuotaView, RefreshResult } from './client';
import type { ScanResult, TestReceipt } from './client';

/** How an export is protected. Plain text needs the word that the person was asked for. */
export type ExportProtection = { passphrase: string } | { plain: true; confirm: 'plain' };

/** For how long a removal can be undone. */
const UNDO_SECONDS = 10;

export class AccountCalls {
  readonly #api: Api;
  readonly #again: () => Promise<void>;

  constructor(api: Api, again: () => Promise<void>) {
    this.#api = api;
    this.#again = again;
  }

  /** Absent fields stay as they are; null clears. */
  change(id: string, change: AccountChange): Promise<AccountView> {
    return this.#then(take(this.#api.PATCH('/api/accounts/{id}', { ...about(id), body: change })));
  }

  /** It serves no more from now on; for a moment it can be taken back. */
  async remove(id: string): Promise<void> {
    const params = { path: { id }, query: { undoSeconds: UNDO_SECONDS } };
    await this.#then(take(this.#api.DELETE('/api/accounts/{id}', { params })));
  }

  undoRemoval(id: string): Promise<AccountView> {
    return this.#then(take(this.#api.POST('/api/accounts/{id}/undo-removal', about(id))));
  }

  /** What becomes of a login that is shared with another program. */
  link(id: string, body: LinkChange): Promise<AccountView> {
    return this.#then(take(this.#api.PATCH('/api/accounts/{id}/link', { ...about(id), body })));
  }

  restore(id: string): Promise<AccountView> {
    return this.#then(take(this.#api.POST('/api/accounts/{id}/restore', about(id))));
  }

  /** The one account that answers; null lets the gateway choose. */
  async only(account: string | null): Promise<void> {
    await this.#then(take(this.#api.PUT('/api/accounts/only', { body: { account } })));
  }

  refresh(id: string): Promise<AccountView> {
    return this.#then(take(this.#api.POST('/api/accounts/{id}/refresh', about(id))));
  }

  refreshAll(): Promise<RefreshResult> {
    return this.#then(take(this.#api.POST('/api/accounts/refresh')));
  }

  /** Asks the service again instead of repeating what is remembered. */
  usage(id: string): Promise<QuotaView> {
    const params = { path: { id }, query: { fresh: true } };
    return this.#then(take(this.#api.GET('/api/accounts/{id}/usage', { params })));
  }

  checkAll(): Promise<CheckedAccount[]> {
    return this.#then(take(this.#api.POST('/api/accounts/check')).then(({ accounts }) => accounts));
  }

  /** Asks a real question through this account alone, which costs credit. */
  test(id: string, model: string | undefined): Promise<TestReceipt> {
    const body = model === undefined ? {} : { model };
    return this.#then(take(this.#api.POST('/api/accounts/{id}/test', { ...about(id), body })));
  }

  testProxy(id: string): Promise<ProxyTest> {
    return take(this.#api.POST('/api/accounts/{id}/proxy/test', about(id)));
  }

  scan(): Promise<ScanResult> {
    return take(this.#api.GET('/api/accounts/scan'));
  }

  /** As copies, or shared with their programs: then rotated tokens go back to them or not. */
  addFound(ids: string[], shared?: { writeBack: boolean }): Promise<ImportResult> {
    const body = { ids, link: shared !== undefined, ...shared };
    return this.#then(take(this.#api.POST('/api/accounts/scan/add', { body })));
  }

  /** What an import would add. Nothing is kept. */
  preview(input: ImportRequest): Promise<ImportResult> {
    return take(this.#api.POST('/api/accounts/import', { body: { ...input, preview: true } }));
  }

  import(input: ImportRequest): Promise<ImportResult> {
    return this.#then(take(this.#api.POST('/api/accounts/import', { body: input })));
  }

  importSealed(content: string, passphrase: string): Promise<ImportResult> {
    return this.#then(take(this.#api.POST('/api/accounts/import/sealed', { body: { content, passphrase } })));
  }

  add(body: ManualAccount): Promise<ImportResult> {
    return this.#then(take(this.#api.POST('/api/accounts/manual', { body })));
  }

  export(ids: string[], protection: ExportProtection): Promise<ExportResult> {
    return take(this.#api.POST('/api/accounts/export', { body: { ids, ...protection } }));
  }

  /** A failed call may have changed something, too. */
  async #then<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } finally {
      await this.#again();
    }
  }
}

function about(id: string) {
  return { params: { path: { id } } };
}
