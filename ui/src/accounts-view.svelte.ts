// What the accounts page shows right now. Other pages set it before they lead there.
import type { Filter } from './account-list';
import type { AccountView, LoginKind } from './api/client';
import { kindFor } from './login-words';

/** Ways to add accounts, in the order in which they are offered. */
export const WAYS = ['scan', 'signIn', 'import', 'manual', 'demo'] as const;
export type Way = (typeof WAYS)[number];

export class AccountsView {
  /** The open way to add accounts. */
  adding: Way | undefined = $state();
  /** The kind of sign-in that is proposed. */
  kind: LoginKind | undefined = $state();
  /** The account that signs in again, by its id. */
  renews: string | undefined = $state();
  /** The account whose details are open. */
  details: string | undefined = $state();
  filter: Filter = $state('all');
  search = $state('');
  /** Counts choices of an account that were not taken: what the radio buttons show is then put back. */
  refusedChoices = $state(0);

  add(way: Way, kind?: LoginKind, renews?: string): void {
    this.adding = way;
    this.kind = kind;
    this.renews = renews;
    this.details = undefined;
  }

  /** A new sign-in for an account that is known. */
  signInAgain(account: AccountView): void {
    this.add('signIn', kindFor(account), account.id);
  }
}
