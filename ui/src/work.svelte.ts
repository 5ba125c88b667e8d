// One thing a person asked for: whether it runs, and what came of it if it failed.
import type { I18n } from './i18n.svelte';
import { asApiError, type FieldProblem } from './api/client';
import { explainError, type Explained } from './problem';

export class Work {
  /** What runs now, by its name. */
  running: string | undefined = $state();
  /** Why the latest one failed. It stays until the next one begins. */
  problem: Explained | undefined = $state.raw();
  /** Refused fields of the latest one, by path. */
  fields: Record<string, FieldProblem> = $state.raw({});
  readonly #i18n: I18n;

  constructor(i18n: I18n) {
    this.#i18n = i18n;
  }

  /** What it resolves to; undefined when it failed. One at a time: a second call while one runs does nothing. */
  async run<T>(name: string, task: () => Promise<T>): Promise<T | undefined> {
    if (this.running !== undefined) return undefined;
    this.running = name;
    this.clear();
    try {
      return await task();
    } catch (error) {
      this.fields = asApiError(error).problem?.fields ?? {};
      this.problem = explainError(error, this.#i18n);
      return undefined;
    } finally {
      this.running = undefined;
    }
  }

  clear(): void {
    this.problem = undefined;
    this.fields = {};
  }

  /** What is wrong with a field, in words. Paths may have a prefix such as `proxy.url`. */
  refused(field: string): string | undefined {
    const found = Object.entries(this.fields).find(([path]) => path === field || path.startsWith(`${field}.`))?.[1];
    return found && (this.#i18n.maybe(`field.${found.code}`) ?? found.message);
  }
}
