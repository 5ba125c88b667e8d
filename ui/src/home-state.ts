// What Home says, worked out from the gateway's answers. Pure, so that each case is one test.
import type { AccountView, ListenerState, Status } from './api/client';

/** The account that answers now. */
export type InUse =
  | { kind: 'none' }
  | { kind: 'unusable'; count: number }
  | { kind: 'one'; account: AccountView }
  | { kind: 'several'; account: AccountView; count: number };

/** Whether an account could answer. An account that is being tried again may. */
export function usable(account: AccountView): boolean {
  return account.enabled && (account.state.kind === 'ready' || account.state.kind === 'probing');
}

/** When an account is expected back, in milliseconds since the epoch. */
export function backAt(account: AccountView): number | undefined {
  return 'until' in account.state ? (account.state.until ?? undefined) : undefined;
}

/** Real accounts come first: the demo account answers only while no real one can. An account that was chosen is alone. */
export function accountInUse(status: Status, accounts: readonly AccountView[], only?: string | null): InUse {
  if (accounts.length === 0) return { kind: 'none' };
  const chosen = accounts.find((account) => account.id === only);
  if (chosen) return usable(chosen) ? { kind: 'one', account: chosen } : { kind: 'unusable', count: 1 };
  const ready = accounts.filter(usable);
  const pool = ready.filter((account) => account.demo === status.simulated);
  const [first] = pool.length > 0 ? pool : ready;
  if (!first) return { kind: 'unusable', count: accounts.length };
  if (pool.length > 1) return { kind: 'several', account: first, count: pool.length };
  return { kind: 'one', account: first };
}

/** What the big button does; `undefined` while the gateway is on its way. */
export function nextAction(state: ListenerState): 'start' | 'stop' | undefined {
  switch (state) {
    case 'stopped':
    case 'failed':
      return 'start';
    case 'running':
      return 'stop';
    case 'starting':
    case 'stopping':
      return undefined;
  }
}

/** The address to show: where it listens, or where it would. */
export function shownAddress(status: Status): string {
  return status.addresses[0] ?? `http://127.0.0.1:${status.port}`;
}
