// A choice about looks that this window remembers. It is no setting: nothing but this page depends on it.

export class Remembered<T extends string> {
  #value: T = $state() as T;
  readonly #key: string;

  constructor(key: string, options: readonly [T, ...T[]]) {
    this.#key = `kiro-proxy.${key}`;
    this.#value = options.find((option) => option === read(this.#key)) ?? options[0];
  }

  get value(): T {
    return this.#value;
  }
  set value(value: T) {
    this.#value = value;
    try {
      localStorage.setItem(this.#key, value);
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  }
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
