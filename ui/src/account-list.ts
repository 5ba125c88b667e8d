// Which accounts a list shows, and in which order. Pure, so that each case is one test.
import type { AccountView } from './api/client';

/** Why an account answers or does not: its state, unless a person switched it off. */
export type Condition = AccountView['state']['kind'];

export function conditionOf(account: AccountView): Condition {
  return account.enabled ? account.state.kind : 'disabled';
}

/** How a condition is coloured, and which filter finds it. */
export type Tone = 'good' | 'warn' | 'bad' | 'off';

export function toneOf(condition: Condition): Tone {
  switch (condition) {
    case 'ready':
      return 'good';
    case 'probing':
    case 'coolingDown':
    case 'exhausted':
      return 'warn';
    case 'disabled':
      return 'off';
    default:
      // Whatever else stops an account waits for a person, also in a newer gateway.
      return 'bad';
  }
}

/** Whether the account does not answer before a person did something. The tray counts by the same rule. */
export function waits(account: AccountView): boolean {
  return toneOf(conditionOf(account)) === 'bad';
}

export const FILTERS = ['all', 'ready', 'pausing', 'attention', 'off'] as const;
export type Filter = (typeof FILTERS)[number];

const TONES: Record<Exclude<Filter, 'all'>, Tone> = { ready: 'good', pausing: 'warn', attention: 'bad', off: 'off' };

export function passes(account: AccountView, filter: Filter): boolean {
  return filter === 'all' || toneOf(conditionOf(account)) === TONES[filter];
}

/** How many accounts each filter would show. */
export function counts(accounts: readonly AccountView[]): Record<Filter, number> {
  const all = FILTERS.map((filter) => [filter, accounts.filter((account) => passes(account, filter)).length] as const);
  return Object.fromEntries(all) as Record<Filter, number>;
}

/** Whether every word of a search is somewhere in what the list shows of an account. */
export function matches(account: AccountView, search: string): boolean {
  const { label, email, note, provider, plan, region, tags, id, method } = account;
  const text = [label, email, note, provider, plan, region, id, method, ...(tags ?? [])].join('\n').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export const SORTS = ['name', 'trouble', 'left', 'busy', 'priority', 'newest'] as const;
export type Sort = (typeof SORTS)[number];

const RANKS: Record<Tone, number> = { bad: 0, warn: 1, good: 2, off: 3 };
/** Unknown quotas come last. */
const leftOf = (account: AccountView) => account.quota?.left ?? -1;

const ORDERS: Record<Sort, (a: AccountView, b: AccountView) => number> = {
  name: () => 0,
  trouble: (a, b) => RANKS[toneOf(conditionOf(a))] - RANKS[toneOf(conditionOf(b))],
  left: (a, b) => leftOf(b) - leftOf(a),
  busy: (a, b) => (b.requests ?? 0) - (a.requests ?? 0),
  // As the gateway uses them: lower numbers first.
  priority: (a, b) => (a.priority ?? 0) - (b.priority ?? 0),
  newest: (a, b) => b.addedAt - a.addedAt,
};

/** Names decide between equals, the way a person counts: 2 before 10. */
export function sorted(accounts: readonly AccountView[], sort: Sort, language: string): AccountView[] {
  const { compare } = new Intl.Collator(language, { numeric: true });
  return [...accounts].sort((a, b) => ORDERS[sort](a, b) || compare(a.label, b.label) || compare(a.id, b.id));
}
