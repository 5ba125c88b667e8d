// The words of an account.
import type { AccountView } from './api/client';
import type { I18n } from './i18n.svelte';

/** The demo account is named in the reader's language; every other name is its owner's. */
export function accountName(account: AccountView, i18n: I18n): string {
  return account.demo ? i18n.t('accounts.demoName') : account.label;
}

/** With whom it signs in: the provider where known, else the method. */
export function accountType(account: Pick<AccountView, 'method' | 'provider'>, i18n: I18n): string {
  const provider = account.provider ? (i18n.maybe(`provider.${account.provider.toLowerCase()}`) ?? account.provider) : undefined;
  return provider ?? i18n.maybe(`method.${account.method}`) ?? account.method;
}

/** Whose it is and where it belongs, in one line. The badge beside the name says how it signs in. */
export function accountAbout(account: AccountView, i18n: I18n): string {
  if (account.demo) return i18n.t('simulated.help');
  const email = account.email === account.label ? undefined : account.email;
  return [email, account.plan ?? account.quota?.plan, account.region].filter((part) => !!part).join(' · ');
}

/** What the access token is doing. Kiro API keys have none. */
export type TokenCondition = 'none' | 'apiKey' | 'valid' | 'expiring' | 'expired';

/** A token with less than this left is about to be replaced. */
const EXPIRING = 5 * 60_000;

export function tokenCondition(account: AccountView, now: number): TokenCondition {
  if (account.method === 'apiKey') return 'apiKey';
  const left = account.tokenExpiresAt == null ? undefined : account.tokenExpiresAt - now;
  if (left === undefined) return 'none';
  if (left <= 0) return 'expired';
  return left < EXPIRING ? 'expiring' : 'valid';
}
