// What the gateway is about to offer and its committed document does not have yet. Every entry goes away with the
// generated type that replaces it.
import type { components, paths } from './schema';

type Schemas = components['schemas'];
type Problem = Schemas['Problem'];
type Id = Schemas['AccountId'];
type Timestamp = Schemas['Timestamp'];

export type ProxyChoice = { kind: 'direct' } | { kind: 'through'; url: string };

export interface QuotaPart {
  kind: 'base' | 'trial' | 'bonus' | 'overage';
  name: string;
  used: number;
  limit: number;
  expiresAt?: Timestamp | null;
  active: boolean;
}

export interface QuotaView {
  fetchedAt: Timestamp;
  ageSeconds: number;
  plan?: string | null;
  used: number;
  limit: number;
  left: number;
  percentUsed: number;
  unit?: string | null;
  resetsAt?: Timestamp | null;
  parts: QuotaPart[];
  overage?: { enabled: boolean; used: number; cap?: number | null; charges?: number | null; currency?: string | null } | null;
  problem?: Problem | null;
}

export interface AccountLink {
  owner: string;
  path: string;
  writeBack: boolean;
  divergedAt?: Timestamp | null;
  switchedAt?: Timestamp | null;
}

/** `adopt` takes the login that the owner has now; `keep` goes on with ours and ends the link. */
export interface LinkChange {
  writeBack?: boolean;
  decision?: 'adopt' | 'keep';
}

interface AccountMore {
  provider?: string | null;
  tags: string[];
  note?: string | null;
  priority: number;
  quotaFloorPercent?: number | null;
  proxy?: ProxyChoice | null;
  host?: string | null;
  learnedHost?: string | null;
  machineId?: string | null;
  inFlight: number;
  requests: number;
  errors: number;
  lastSuccessAt?: Timestamp | null;
  lastFailure?: { at: Timestamp; code: string; message?: string | null } | null;
  modelPauses: { model: string; until: Timestamp }[];
  neverOverage?: boolean | null;
  nextRefreshAt?: Timestamp | null;
  unsaved: boolean;
  link?: AccountLink | null;
  userId?: string | null;
  plan?: string | null;
  quota?: QuotaView | null;
  creditsToday?: number | null;
}

export type AccountView = Schemas['AccountView'] & Partial<AccountMore>;
export interface AccountList {
  accounts: AccountView[];
  only?: Id | null;
}

export interface AccountChange {
  label?: string;
  enabled?: boolean;
  tags?: string[];
  note?: string | null;
  priority?: number | null;
  quotaFloorPercent?: number | null;
  proxy?: ProxyChoice | null;
  proxyUser?: string | null;
  proxyPassword?: string | null;
  host?: string | null;
  neverOverage?: boolean | null;
  profileArn?: string | null;
}

export interface ProxyTest {
  ok: boolean;
  ms: number;
  problem?: Problem | null;
}
export interface Refreshed {
  refreshed: Id[];
  failed: { id: Id; problem: Problem }[];
}
export interface CheckResult {
  id: Id;
  ok: boolean;
  problem?: Problem | null;
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

/** A login that could be added. */
export interface FoundLogin {
  label?: string | null;
  email?: string | null;
  method: Schemas['AuthMethod'];
  provider?: string | null;
  region?: string | null;
  expiresAt?: Timestamp | null;
  known?: Id | null;
  warnings: string[];
}
export interface ScanView {
  found: (FoundLogin & { id: string; owner: string; path: string })[];
  problems: { owner: string; path: string; code: string; message: string }[];
}
export type ImportResult = Schemas['ImportResult'] & {
  notes?: { account: Id; warnings: string[] }[];
  found?: (FoundLogin & { index: number })[];
  sealed?: boolean;
};
/** An account file with the files that belong to it. */
export interface ImportInput {
  content: string;
  companions?: { name: string; content: string }[];
}
export interface ManualAccount {
  label?: string;
  accessToken?: string;
  refreshToken: string;
  method?: string;
  region?: string;
  clientId?: string;
  clientSecret?: string;
}
export interface ExportFile {
  fileName: string;
  content: string;
  accounts: number;
  shared: Id[];
  skipped: { id: Id; reason: 'demo' | 'noSecrets' }[];
}

export type LoginKind = 'google' | 'github' | 'builderId' | 'idc' | 'microsoft' | 'apiKey' | 'remote';
export type LoginState =
  | 'waiting'
  | 'exchanging'
  | 'inspecting'
  | 'chooseProfile'
  | 'done'
  | 'failed'
  | 'cancelled'
  | 'expired';
export type OpenIn = 'popup' | 'browser' | 'none';
export interface NewLogin {
  kind: LoginKind;
  form?: 'auto' | 'browser' | 'device';
  startUrl?: string;
  region?: string;
  apiKey?: string;
  label?: string;
  open?: OpenIn;
  browser?: string;
  private?: boolean;
}
export interface OpenLogin {
  open: OpenIn;
  browser?: string;
  private?: boolean;
}
export interface LoginView {
  id: string;
  kind: LoginKind;
  form: 'browser' | 'device' | 'key' | 'remote';
  state: LoginState;
  awaits?: string | null;
  url?: string | null;
  userCode?: string | null;
  expiresAt?: Timestamp | null;
  startedAt: Timestamp;
  qr?: { size: number; rows: string[] } | null;
  callbackPort?: number | null;
  opened: boolean;
  /** Whether the remote link is on another address of this machine, where nothing encrypts it. */
  plainHttp?: boolean;
  profiles: { arn: string; name?: string | null; region: string }[];
  account?: AccountView | null;
  proof?: {
    plan?: string | null;
    creditsLeft?: number | null;
    creditsLimit?: number | null;
    resetsAt?: Timestamp | null;
    models: string[];
    region?: string | null;
    host?: string | null;
  } | null;
  problem?: Problem | null;
}

export interface VaultView {
  kind: Schemas['StoreKind'];
  state: Schemas['StoreState'];
  keySource?: KeySource | null;
  keyId?: string | null;
  records?: number | null;
  protectedByPermissionsOnly: boolean;
  recovery: boolean;
}
export type KeySource = 'systemdCredential' | 'keyFile' | 'passphrase' | 'environment' | 'autoKeyFile';
/** One key, or none where nothing has to be typed. */
export interface VaultUnlock {
  passphrase?: string;
  recoveryPassphrase?: string;
  keyFile?: string;
}
export interface VaultMove {
  to: Schemas['StoreKind'];
  key?: { source: KeySource; passphrase?: string };
}
export interface VaultChange {
  changed: number;
  vault: VaultView;
}

export type NotificationKind =
  | 'needsLogin'
  | 'suspended'
  | 'quotaWarning'
  | 'quotaAlert'
  | 'allUnavailable'
  | 'ownerSwitched'
  | 'unsavedLogin';
export interface NotificationEvent {
  type: 'notification';
  id: string;
  kind: NotificationKind;
  account?: Id | null;
  label?: string | null;
  percent?: number | null;
}
export type AdminEvent =
  | Schemas['AdminEvent']
  | { type: 'logins'; id: string }
  | { type: 'openSignIn'; id: string; url: string; open: 'popup' }
  | NotificationEvent;

interface Answer<T> {
  headers: { [name: string]: unknown };
  content: { 'application/json': T };
}
interface Nothing {
  headers: { [name: string]: unknown };
  content?: never;
}
interface Call<Out, In = undefined, Path = undefined, Query = undefined> {
  parameters: {
    query?: Query extends undefined ? never : Query;
    header?: never;
    path: Path extends undefined ? never : Path;
    cookie?: never;
  };
  requestBody: { content: { 'application/json': In } };
  responses: { 200: Out extends undefined ? Nothing : Answer<Out>; default: Answer<Problem> };
}
/** A call without a body and without a variable path. */
interface Plain<Out, Query = undefined> {
  parameters: { query?: Query extends undefined ? never : Query; header?: never; path?: never; cookie?: never };
  requestBody?: never;
  responses: { 200: Answer<Out>; default: Answer<Problem> };
}
/** A call with a body. */
interface Send<Out, In> {
  parameters: { query?: never; header?: never; path?: never; cookie?: never };
  requestBody: { content: { 'application/json': In } };
  responses: { 200: Answer<Out>; default: Answer<Problem> };
}
/** A call about one thing, without a body. */
interface About<Out, Query = undefined> {
  parameters: { query?: Query extends undefined ? never : Query; header?: never; path: { id: string }; cookie?: never };
  requestBody?: never;
  responses: { 200: Out extends undefined ? Nothing : Answer<Out>; default: Answer<Problem> };
}
type Change<Out, In> = Call<Out, In, { id: string }>;

export interface PendingPaths {
  '/api/accounts': { get: Plain<AccountList> };
  '/api/accounts/{id}': {
    get: About<AccountView>;
    patch: Change<AccountView, AccountChange>;
    delete: About<undefined>;
  };
  '/api/accounts/{id}/link': { patch: Change<AccountView, LinkChange> };
  '/api/accounts/{id}/restore': { post: About<AccountView> };
  '/api/accounts/{id}/proxy/test': { post: About<ProxyTest> };
  '/api/accounts/only': { put: Send<{ only?: Id | null }, { account: Id | null }> };
  '/api/accounts/{id}/refresh': { post: About<AccountView> };
  '/api/accounts/refresh': { post: Plain<Refreshed> };
  '/api/accounts/{id}/usage': { get: About<QuotaView, { fresh?: boolean }> };
  '/api/accounts/check': { post: Plain<{ results: CheckResult[] }> };
  '/api/usage': { get: Plain<{ rows: UsageRow[] }, { by: UsageBy; days: number }> };
  '/api/accounts/scan': { get: Plain<ScanView> };
  '/api/accounts/scan/add': { post: Send<ImportResult, { ids: string[]; link: boolean }> };
  '/api/accounts/import/sealed': { post: Send<ImportResult, { content: string; passphrase: string; preview?: boolean }> };
  '/api/accounts/import': { post: Send<ImportResult, ImportInput & { preview?: boolean }> };
  '/api/accounts/manual': { post: Send<ImportResult, ManualAccount> };
  '/api/accounts/export': {
    post: Send<ExportFile, { ids?: Id[] } & ({ passphrase: string } | { plain: true; confirm: 'plain' })>;
  };
  '/api/logins': { get: Plain<{ logins: LoginView[] }>; post: Send<LoginView, NewLogin> };
  '/api/logins/{id}': { get: About<LoginView>; delete: About<LoginView> };
  '/api/logins/{id}/paste': { post: Change<LoginView, { text: string }> };
  '/api/logins/{id}/profile': { post: Change<LoginView, { arn: string }> };
  '/api/logins/{id}/open': { post: Change<LoginView, OpenLogin> };
  '/api/vault': { get: Plain<VaultView> };
  '/api/vault/lock': { post: Plain<VaultView> };
  '/api/vault/unlock': { post: Send<VaultView, VaultUnlock> };
  '/api/vault/migrate': { post: Send<VaultChange, VaultMove> };
}

export type AllPaths = Omit<paths, keyof PendingPaths> & PendingPaths;
