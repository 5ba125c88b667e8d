// The time of now for everything that counts down. It ticks only while something on the screen reads it.
import { createSubscriber } from 'svelte/reactivity';

export class Clock {
  readonly #subscribe: () => void;
  readonly #read: () => number;

  constructor(read: () => number = () => Date.now()) {
    this.#read = read;
    this.#subscribe = createSubscriber((update) => {
      const timer = setInterval(update, 1000);
      return () => clearInterval(timer);
    });
  }

  /** Milliseconds since the epoch, at most a second old. */
  get now(): number {
    this.#subscribe();
    return this.#read();
  }
}
