// What waits for a person. Pure, so that each case is one test.
import { conditionOf } from './account-list';
import type { AccountView } from './api/client';

/** What could help, as one button. */
export type Remedy = 'signIn' | 'details';

export interface Need {
  account: AccountView;
  /** Names the words: `attention.<kind>`. */
  kind: 'needsLogin' | 'suspended' | 'ownerSwitched' | 'stopped' | 'unsaved' | 'diverged' | 'signInEnds' | 'exhausted' | 'quotaAlert' | 'quotaWarning';
  tone: 'bad' | 'warn';
  remedy: Remedy;
}

/** From which share of its quota on, in percent, an account is worth a word. */
export interface Thresholds {
  warn: number;
  alert: number;
}

function needOf(account: AccountView, thresholds: Thresholds): Omit<Need, 'account'> | undefined {
  if (!account.enabled || account.demo) return undefined;
  const condition = conditionOf(account);
  if (account.link?.switchedAt != null) return { kind: 'ownerSwitched', tone: 'bad', remedy: 'details' };
  switch (condition) {
    case 'needsLogin':
      return { kind: 'needsLogin', tone: 'bad', remedy: account.method === 'apiKey' ? 'details' : 'signIn' };
    case 'suspended':
      return { kind: 'suspended', tone: 'bad', remedy: 'details' };
    case 'exhausted':
      return { kind: 'exhausted', tone: 'warn', remedy: 'details' };
    case 'disabled':
      return undefined;
    case 'ready':
    case 'probing':
    case 'coolingDown':
      break;
    default:
      return { kind: 'stopped', tone: 'bad', remedy: 'details' };
  }
  if (account.unsaved) return { kind: 'unsaved', tone: 'bad', remedy: 'details' };
  if (account.signInEndsSoon) return { kind: 'signInEnds', tone: 'warn', remedy: 'signIn' };
  if (account.link?.divergedAt != null) return { kind: 'diverged', tone: 'warn', remedy: 'details' };
  const used = account.quota?.percentUsed ?? 0;
  if (used >= thresholds.alert) return { kind: 'quotaAlert', tone: 'warn', remedy: 'details' };
  if (used >= thresholds.warn) return { kind: 'quotaWarning', tone: 'warn', remedy: 'details' };
  return undefined;
}

/** One line for each account that waits, the worst first. */
export function needs(accounts: readonly AccountView[], thresholds: Thresholds): Need[] {
  const all = accounts.flatMap((account) => {
    const need = needOf(account, thresholds);
    return need ? [{ account, ...need }] : [];
  });
  return all.sort((a, b) => Number(b.tone === 'bad') - Number(a.tone === 'bad'));
}
