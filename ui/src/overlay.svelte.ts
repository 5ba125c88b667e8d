// What lies over the whole window and takes the keyboard: one thing at a time. It gives the keyboard back when it goes.
import { tick } from 'svelte';

export type OverlayName = 'commands' | 'keys';

export class Overlay {
  open: OverlayName | undefined = $state();
  #before: Element | null = null;

  show(name: OverlayName): void {
    if (this.open === undefined) this.#before = document.activeElement;
    this.open = name;
  }

  /** Shows it; the same one once more closes it. */
  toggle(name: OverlayName): void {
    if (this.open === name) this.close();
    else this.show(name);
  }

  close(): void {
    this.open = undefined;
    const before = this.#before;
    // Not before what lies below can have the keyboard again, and not when something else has taken it.
    void tick().then(() => {
      if (document.activeElement === document.body && before instanceof HTMLElement && before.isConnected) before.focus();
    });
  }
}
