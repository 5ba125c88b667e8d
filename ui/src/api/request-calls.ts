// Records of requests: what became of them, never what was asked or answered.
import { take, type Api, type FlowExport, type FlowList, type FlowSummary, type MarkChange, type MarkedFlow } from './client';

export type Outcome = 'complete' | 'failed' | 'clientLeft' | 'running';
export type ExportFormat = 'json' | 'jsonl' | 'markdown';

/** Which requests are meant. Absent members and empty texts name nothing. */
export interface RequestFilter {
  search?: string;
  outcome?: Outcome | '';
  protocol?: string;
  model?: string;
  account?: string;
  code?: string;
  tag?: string;
  bookmarked?: boolean;
  /** Milliseconds since the epoch. */
  since?: number;
}

type Named = { [K in keyof RequestFilter]: Exclude<RequestFilter[K], '' | false | undefined> };

/** Without what names nothing. */
export function named(filter: RequestFilter): Named {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined && value !== '' && value !== false)) as Named;
}

export class RequestCalls {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** The newest `limit` that fit. */
  list(filter: RequestFilter, limit: number): Promise<FlowList> {
    return take(this.#api.GET('/api/flows', { params: { query: { ...named(filter), limit } } }));
  }

  summary(filter: RequestFilter): Promise<FlowSummary> {
    return take(this.#api.GET('/api/flows/stats', { params: { query: named(filter) } }));
  }

  mark(id: string, body: Partial<MarkChange>): Promise<MarkedFlow> {
    return take(this.#api.PATCH('/api/flows/{id}', { params: { path: { id } }, body: body as MarkChange }));
  }

  export(format: ExportFormat, which: { ids: string[] } | { filter: RequestFilter }): Promise<FlowExport> {
    const meant = 'ids' in which ? which : { filter: named(which.filter) };
    return take(this.#api.POST('/api/flows/export', { body: { format, ...meant } as never }));
  }

  async clear(marked: boolean): Promise<number> {
    return (await take(this.#api.DELETE('/api/flows', { params: { query: { marked } } }))).deleted;
  }
}
