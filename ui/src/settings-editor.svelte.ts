// Saves one setting at a time. When somebody else saved in between, our change is tried again if it touches another
// setting; the same setting changed twice is for the person to decide.
import { ApiError, asApiError, type FieldProblem, type SettingsView } from './api/client';
import type { Queries } from './api/queries';

export type SaveState = 'idle' | 'saving' | 'saved' | 'conflict' | 'failed';

/** How often a save is tried again when others keep saving. */
const TRIES = 4;

/** The value at a path such as `listener.port`. */
export function valueAt(settings: unknown, path: string): unknown {
  let value = settings;
  for (const part of path.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined;
  }
  return value;
}

/** A merge patch that sets one path. */
export function patchFor(path: string, value: unknown): Record<string, unknown> {
  const [first = '', ...rest] = path.split('.');
  return { [first]: rest.length === 0 ? value : patchFor(rest.join('.'), value) };
}

/** Lists are read anew each time, so they are compared by what is in them. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A setting that was changed here and elsewhere at the same time. */
export interface Conflict {
  path: string;
  mine: unknown;
  theirs: unknown;
}

export class SettingsEditor {
  state: SaveState = $state('idle');
  /** What the latest failure was, apart from refused fields. */
  error: ApiError | undefined = $state.raw();
  /** Refused fields by path. */
  fields: Record<string, FieldProblem> = $state.raw({});
  conflict: Conflict | undefined = $state.raw();
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  get view(): SettingsView | undefined {
    return this.#queries.settings.data;
  }

  value(path: string): unknown {
    return valueAt(this.view?.settings, path);
  }

  defaultOf(path: string): unknown {
    return valueAt(this.view?.defaults, path);
  }

  /** Who set a value for this run only. */
  override(path: string): SettingsView['overrides'][number] | undefined {
    return this.view?.overrides.find((entry) => entry.path === path);
  }

  reset(path: string): Promise<boolean> {
    return this.save(path, this.defaultOf(path));
  }

  /** Saves what the person chose in a conflict. */
  async settle(useMine: boolean): Promise<void> {
    const conflict = this.conflict;
    this.conflict = undefined;
    this.state = 'idle';
    if (conflict && useMine) await this.save(conflict.path, conflict.mine);
  }

  /** True when it was saved. */
  async save(path: string, value: unknown): Promise<boolean> {
    const before = this.value(path);
    this.state = 'saving';
    this.error = undefined;
    this.conflict = undefined;
    this.#setField(path, undefined);
    for (let attempt = 1; ; attempt += 1) {
      const view = this.view;
      if (!view) return this.#fail(new ApiError('unreachable', 'The settings are not known yet.'));
      try {
        await this.#queries.patchSettings(view.revision, patchFor(path, value));
        this.state = 'saved';
        return true;
      } catch (thrown) {
        const error = asApiError(thrown);
        const field = error.problem?.fields?.[path];
        if (field) this.#setField(path, field);
        if (error.code !== 'revision_conflict' || attempt === TRIES) return this.#fail(error);
        await this.#queries.settings.refresh();
        const theirs = this.value(path);
        if (!same(theirs, before) && !same(theirs, value)) {
          this.conflict = { path, mine: value, theirs };
          this.state = 'conflict';
          return false;
        }
      }
    }
  }

  /** Saves several fields of a section at once. True when they were saved. */
  async saveSection(section: string, values: Record<string, unknown>): Promise<boolean> {
    this.state = 'saving';
    this.error = undefined;
    this.conflict = undefined;
    for (let attempt = 1; ; attempt += 1) {
      const view = this.view;
      if (!view) return this.#fail(new ApiError('unreachable', 'The settings are not known yet.'));
      try {
        await this.#queries.patchSettings(view.revision, { [section]: values });
        this.state = 'saved';
        return true;
      } catch (thrown) {
        const error = asApiError(thrown);
        if (error.code !== 'revision_conflict' || attempt === TRIES) return this.#fail(error);
        await this.#queries.settings.refresh();
      }
    }
  }

  #fail(error: ApiError): false {
    this.error = error;
    this.state = 'failed';
    return false;
  }

  #setField(path: string, problem: FieldProblem | undefined): void {
    const { [path]: _, ...others } = this.fields;
    this.fields = problem ? { ...others, [path]: problem } : others;
  }
}
