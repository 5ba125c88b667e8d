// The words of an account.
import type { AccountView } from './api/client';
import type { I18n } from './i18n.svelte';

/** The demo account is named in the reader's language; every other name is its owner's. */
export function accountName(account: AccountView, i18n: I18n): string {
  return account.demo ? i18n.t('accounts.demoName') : account.label;
}

/** How it signs in and where it belongs, in one line. */
export function accountAbout(account: AccountView, i18n: I18n): string {
  if (account.demo) return i18n.t('simulated.help');
  const method = i18n.maybe(`method.${account.method}`) ?? account.method;
  const email = account.email === account.label ? undefined : account.email;
  return [method, email, account.region].filter((part) => !!part).join(' · ');
}
