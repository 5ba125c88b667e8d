// Which sign-ins there are, and which one an account came from.
import type { AccountView, LoginKind } from './api/client';

/** In the order in which they are offered. */
export const KINDS = ['google', 'github', 'builderId', 'idc', 'microsoft', 'apiKey', 'remote'] as const satisfies LoginKind[];

/** Kinds that have both forms: a page that comes back by itself, and a code typed on any device. */
export function hasForms(kind: LoginKind): boolean {
  return kind === 'google' || kind === 'github' || kind === 'builderId' || kind === 'idc';
}

/** The kind to propose for an account that has to sign in again; undefined when only its owner can tell. */
export function kindFor(account: Pick<AccountView, 'method' | 'provider'>): LoginKind | undefined {
  const provider = account.provider?.toLowerCase();
  switch (account.method) {
    case 'social':
      return provider === 'google' || provider === 'github' ? provider : undefined;
    case 'idc':
      return provider === 'builderid' ? 'builderId' : provider ? 'idc' : undefined;
    case 'externalIdp':
      return 'microsoft';
    case 'apiKey':
      return 'apiKey';
  }
}
