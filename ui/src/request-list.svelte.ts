// The list of requests that a page shows: its filter, how much of it, and which one is open.
import { Query } from './api/query.svelte';
import { named, type RequestCalls, type RequestFilter } from './api/request-calls';
import type { FlowList, FlowSummary, MarkedFlow } from './api/client';

/** How many a step shows. */
const STEP = 50;
/** More than anybody reads; the filter finds the others. */
const MOST = 500;

export class RequestList {
  filter: RequestFilter = $state({});
  /** The span in hours; 0 is all of it. */
  hours = $state(0);
  limit = $state(STEP);
  /** Id of the one whose details are open. */
  open: string | undefined = $state();
  /** What the filter means. */
  readonly list: Query<FlowList>;
  /** What those came to. */
  readonly sums: Query<FlowSummary>;
  /** Of everything that is kept: what can be chosen from. */
  readonly all: Query<FlowSummary>;

  constructor(calls: RequestCalls) {
    this.list = new Query(() => calls.list(this.asked, this.limit));
    this.sums = new Query(() => calls.summary(this.asked));
    this.all = new Query(() => calls.summary({}));
  }

  /** The filter with its span ending now. */
  get asked(): RequestFilter {
    return this.hours === 0 ? { ...this.filter } : { ...this.filter, since: Date.now() - this.hours * 3_600_000 };
  }

  get filtered(): boolean {
    return this.hours !== 0 || Object.keys(named(this.filter)).length > 0;
  }

  get rows(): MarkedFlow[] {
    const list = this.list.data;
    return list ? [...list.running, ...list.flows] : [];
  }

  get shown(): MarkedFlow | undefined {
    return this.rows.find((row) => row.id === this.open);
  }

  get more(): boolean {
    return this.list.data?.next != null && this.limit < MOST;
  }

  showMore(): void {
    this.limit = Math.min(MOST, this.limit + STEP);
  }

  unfilter(): void {
    this.filter = {};
    this.hours = 0;
  }

  async refresh(): Promise<void> {
    await Promise.all([this.list, this.sums, this.all].map((query) => query.refresh()));
  }
}
