// One remembered answer of the admin API. The truth stays there: a query is read again whenever an event says so.
import { asApiError, type ApiError } from './client';

export class Query<T> {
  /** The latest answer; undefined before the first. */
  data: T | undefined = $state.raw();
  /** Why the latest attempt failed; undefined after a success. */
  error: ApiError | undefined = $state.raw();
  readonly #read: () => Promise<T>;
  #running: Promise<void> | undefined;
  #again = false;
  #version = 0;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  /** Reads again. Calls during a running read join one further read, so that no change is missed. */
  refresh(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#loop().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** Takes an answer that came by another way; a read that began earlier no longer counts. */
  set(data: T): void {
    this.#version += 1;
    this.data = data;
    this.error = undefined;
  }

  async #loop(): Promise<void> {
    do {
      this.#again = false;
      const version = this.#version;
      try {
        const data = await this.#read();
        if (version === this.#version) this.set(data);
      } catch (error) {
        if (version === this.#version) this.error = asApiError(error);
      }
    } while (this.#again);
  }
}
