// Which sign-ins there are, and which one an account came from.
import type { AccountView, LoginKind } from './api/client';

/** In the order in which they are offered. */
export const KINDS = ['google', 'github', 'builderId', 'idc', 'microsoft', 'apiKey', 'remote'] as const satisfies LoginKind[];

/** Regions to pick from where a company's directory may be anywhere; others can be typed. */
export const REGIONS = [
  'us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1', 'eu-central-1', 'eu-central-2', 'eu-north-1', 'eu-south-1',
  'eu-west-1', 'eu-west-2', 'eu-west-3', 'ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-south-1', 'ap-southeast-1', 'ap-southeast-2',
] as const;
/** Where the service answers keys. */
export const KEY_REGIONS = ['us-east-1', 'eu-central-1'] as const;

/** Kinds that have both forms: a page that comes back by itself, and a code typed on any device. */
export function hasForms(kind: LoginKind): boolean {
  return kind === 'google' || kind === 'github' || kind === 'builderId' || kind === 'idc';
}

/** The kinds of sign-in that an account can be renewed with. */
export function kindsFor(account: Pick<AccountView, 'method'>): readonly LoginKind[] {
  switch (account.method) {
    case 'social':
      return ['google', 'github', 'remote'];
    case 'idc':
      return ['builderId', 'idc', 'remote'];
    case 'externalIdp':
      return ['microsoft', 'remote'];
    case 'apiKey':
      return ['apiKey'];
  }
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
