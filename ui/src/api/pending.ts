// Quotas, usage and news, until the committed document has them. Every entry goes away with its generated type.
import type { components, paths } from './schema';

type Schemas = components['schemas'];
type Problem = Schemas['Problem'];
type Id = Schemas['AccountId'];
type Timestamp = Schemas['Timestamp'];

export interface QuotaView {
  fetchedAt?: Timestamp | null;
  ageSeconds?: number | null;
  plan?: string | null;
  used?: number | null;
  limit?: number | null;
  left?: number | null;
  percentUsed?: number | null;
  unit?: string | null;
  resetsAt?: Timestamp | null;
  parts: {
    kind: 'base' | 'trial' | 'bonus' | 'overage' | 'other';
    name?: string | null;
    used: number;
    limit: number;
    expiresAt?: Timestamp | null;
    active: boolean;
  }[];
  overage?: { enabled: boolean; used: number; cap?: number | null; charges?: number | null; currency?: string | null } | null;
  problem?: Problem | null;
}
export type AccountView = Schemas['AccountView'] & {
  userId?: string | null;
  plan?: string | null;
  quota?: QuotaView | null;
  creditsToday?: number;
};
export interface AccountList {
  accounts: AccountView[];
  only?: Id | null;
}
export interface CheckedAccount {
  id: Id;
  ok: boolean;
  skipped: boolean;
  ms?: number | null;
  problem?: Problem | null;
}
export interface TestReceipt {
  account: string;
  simulated: boolean;
  model: string;
  text: string;
  ms: number;
  credits?: number | null;
}
export type UsageBy = 'account' | 'model' | 'key' | 'day';
export interface UsageRow {
  key: string;
  label: string;
  requests: number;
  credits: number;
  inputTokens: number;
  outputTokens: number;
}
export interface NotificationEvent {
  type: 'notification';
  id: string;
  kind: 'needsLogin' | 'suspended' | 'quotaWarning' | 'quotaAlert' | 'allUnavailable' | 'ownerSwitched' | 'unsavedLogin';
  account?: Id | null;
  label?: string | null;
  percent?: number | null;
}
export type AdminEvent = Schemas['AdminEvent'] | NotificationEvent;

interface Answers<T> {
  200: { headers: { [name: string]: unknown }; content: { 'application/json': T } };
  default: { headers: { [name: string]: unknown }; content: { 'application/json': Problem } };
}
interface ById<Query> {
  query?: Query;
  header?: never;
  path: { id: string };
  cookie?: never;
}
interface Pending {
  '/api/accounts': { get: { parameters: { query?: never; path?: never }; requestBody?: never; responses: Answers<AccountList> } };
  '/api/accounts/{id}/usage': {
    get: { parameters: ById<{ fresh?: boolean }>; requestBody?: never; responses: Answers<QuotaView> };
  };
  '/api/accounts/{id}/test': {
    post: { parameters: ById<never>; requestBody: { content: { 'application/json': { model?: string } } }; responses: Answers<TestReceipt> };
  };
  '/api/accounts/check': {
    post: { parameters: { query?: never; path?: never }; requestBody?: never; responses: Answers<{ accounts: CheckedAccount[] }> };
  };
  '/api/usage': {
    get: { parameters: { query?: { by: UsageBy; days: number }; path?: never }; requestBody?: never; responses: Answers<{ rows: UsageRow[] }> };
  };
}
export type AllPaths = Omit<paths, keyof Pending> & Pending;
