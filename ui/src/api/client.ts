// The typed client of the admin API. Types come from the committed OpenAPI document; nothing is described twice.
import createClient from 'openapi-fetch';
import type { Host } from './host';
import type { components, paths } from './schema';

type Schemas = components['schemas'];
export type Problem = Schemas['Problem'];
export type ProblemCode = Schemas['ProblemCode'];
export type FieldProblem = Schemas['FieldProblem'];
export type Status = Schemas['Status'];
export type ListenerState = Schemas['ListenerState'];
export type SettingsView = Schemas['SettingsView'];
export type SettingsImport = Schemas['SettingsImport'];
export type SettingsFile = Schemas['SettingsFile'];
export type PortView = Schemas['PortView'];
export type ClientKey = Schemas['ClientKey'];
export type FlowView = Schemas['FlowView'];
export type FlowExport = Schemas['FlowExport'];
export type FlowGroup = Schemas['FlowGroup'];
export type FlowList = Schemas['FlowList'];
export type FlowSummary = Schemas['FlowSummary'];
export type MarkChange = Schemas['MarkChange'];
export type MarkedFlow = Schemas['MarkedFlow'];
export type SpeedReport = Schemas['SpeedReport'];
export type ModelList = Schemas['ModelList'];
export type AccountChange = Schemas['AccountChange'];
export type ExportResult = Schemas['ExportResult'];
export type FoundLogin = Schemas['FoundLogin'];
export type ImportCandidate = Schemas['ImportCandidate'];
export type ImportRequest = Schemas['ImportRequest'];
export type ImportResult = Schemas['ImportResult'];
export type LinkChange = Schemas['LinkChange'];
export type LoginKind = Schemas['LoginKind'];
export type LoginView = Schemas['LoginView'];
export type ManualAccount = Schemas['ManualAccount'];
export type NewLogin = Schemas['NewLogin'];
export type OpenAgain = Schemas['OpenAgain'];
export type NetworkProxy = Schemas['NetworkProxy'];
export type ProxyLogin = Schemas['ProxyLogin'];
export type ProxyTest = Schemas['ProxyTest'];
export type RefreshResult = Schemas['RefreshResult'];
export type RejectedRecord = Schemas['RejectedRecord'];
export type ScanResult = Schemas['ScanResult'];
export type VaultChange = Schemas['VaultChange'];
export type VaultNewKey = Schemas['VaultNewKey'];
export type VaultMove = Schemas['VaultMove'];
export type VaultUnlock = Schemas['VaultUnlock'];
export type VaultView = Schemas['VaultView'];
export type BrowserList = Schemas['BrowserList'];
export type ModelRule = Schemas['ModelRule'];
export type KeyChange = Schemas['KeyChange'];
export type NameTestResult = Schemas['NameTestResult'];
export type AccountList = Schemas['AccountList'];
export type AccountView = Schemas['AccountView'];
export type AdminEvent = Schemas['AdminEvent'];
export type NotificationEvent = Extract<AdminEvent, { type: 'notification' }>;
export type CheckedAccount = Schemas['CheckedAccount'];
export type QuotaView = Schemas['QuotaView'];
export type TestReceipt = Schemas['TestReceipt'];
export type UsageBy = Schemas['UsageBy'];
export type UsageRow = Schemas['UsageRow'];

/** A code of the gateway, or one of the two that only a face can see. */
export type AnyProblemCode = ProblemCode | 'unreachable' | 'unreadable';
/** A problem that is thrown. `problem.message` is English; pages translate `code`. */
export class ApiError extends Error {
  constructor(
    readonly code: AnyProblemCode,
    message: string,
    readonly problem?: Problem,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'message' in value;
}

/** Reads an answer that is not a success. */
export async function problemOf(response: Response): Promise<ApiError> {
  let text = '';
  try {
    text = await response.text();
    const parsed: unknown = JSON.parse(text);
    if (isProblem(parsed)) return new ApiError(parsed.code, parsed.message, parsed);
  } catch {
    // Not JSON: the words below say what there was.
  }
  return new ApiError('unreadable', `HTTP ${response.status} ${text.slice(0, 200)}`.trim());
}

/** Turns whatever was thrown into something a page can show. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError('unreachable', error instanceof Error ? error.message : String(error));
}

/** A request needs an absolute URL; only path and query of it are used. */
const BASE = 'http://admin.invalid';

export type Api = ReturnType<typeof createApi>;

/** The client on top of a host. */
export function createApi(host: Host) {
  return createClient<paths>({
    baseUrl: BASE,
    async fetch(request: Request) {
      const url = new URL(request.url);
      const body = await request.text();
      return host.fetch(url.pathname + url.search, { method: request.method, ...(body === '' ? {} : { body }) });
    },
  });
}

/** What a call of the client resolves to. */
interface Outcome<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of a call, or a thrown [`ApiError`]. */
export async function take<T>(call: Promise<Outcome<T>>): Promise<T> {
  let outcome: Outcome<T>;
  try {
    outcome = await call;
  } catch (error) {
    throw asApiError(error);
  }
  if (outcome.response.ok) return outcome.data as T;
  if (isProblem(outcome.error)) throw new ApiError(outcome.error.code, outcome.error.message, outcome.error);
  throw new ApiError('unreadable', `HTTP ${outcome.response.status} ${String(outcome.error ?? '')}`.trim());
}
