// What waits for a person, and what is only worth knowing. Pure, so that each case is one test.
import { conditionOf, waits } from './account-list';
import type { AccountView } from './api/client';

/** What could help, as one button. */
export type Remedy = 'signIn' | 'newKey' | 'details';

/** The account does not answer before a person did something. */
export type NeedKind = 'needsLogin' | 'keyRefused' | 'suspended' | 'ownerSwitched' | 'stopped';
/** It answers, or will by itself, and there is something a person may want to do. */
export type HintKind = 'unsaved' | 'diverged' | 'signInEnds' | 'exhausted' | 'quotaAlert' | 'quotaWarning';

export interface Need {
  account: AccountView;
  /** Names the words: `attention.<kind>`. */
  kind: NeedKind | HintKind;
  remedy: Remedy;
}

/** From which share of its quota on, in percent, an account is worth a word. */
export interface Thresholds {
  warn: number;
  alert: number;
}

function needOf(account: AccountView): Omit<Need, 'account'> {
  switch (conditionOf(account)) {
    case 'needsLogin':
      return account.method === 'apiKey' ? { kind: 'keyRefused', remedy: 'newKey' } : { kind: 'needsLogin', remedy: 'signIn' };
    case 'suspended':
      return { kind: 'suspended', remedy: 'details' };
    case 'ownerSwitched':
      return { kind: 'ownerSwitched', remedy: 'details' };
    default:
      return { kind: 'stopped', remedy: 'details' };
  }
}

function hintOf(account: AccountView, thresholds: Thresholds): Omit<Need, 'account'> | undefined {
  if (!account.enabled || account.demo) return undefined;
  if (account.unsaved) return { kind: 'unsaved', remedy: 'details' };
  if (conditionOf(account) === 'exhausted') return { kind: 'exhausted', remedy: 'details' };
  if (account.signInEndsSoon) return { kind: 'signInEnds', remedy: 'signIn' };
  if (account.link?.divergedAt != null) return { kind: 'diverged', remedy: 'details' };
  const used = account.quota?.percentUsed ?? 0;
  if (used >= thresholds.alert) return { kind: 'quotaAlert', remedy: 'details' };
  if (used >= thresholds.warn) return { kind: 'quotaWarning', remedy: 'details' };
  return undefined;
}

/** One line for each account that waits for a person: as many as the filter finds and the tray counts. */
export function needs(accounts: readonly AccountView[]): Need[] {
  return accounts.filter(waits).map((account) => ({ account, ...needOf(account) }));
}

/** At most one line for each of the others, the most urgent first. */
export function hints(accounts: readonly AccountView[], thresholds: Thresholds): Need[] {
  const all = accounts.flatMap((account) => {
    const hint = waits(account) ? undefined : hintOf(account, thresholds);
    return hint ? [{ account, ...hint }] : [];
  });
  return all.sort((a, b) => Number(b.kind === 'unsaved') - Number(a.kind === 'unsaved'));
}
