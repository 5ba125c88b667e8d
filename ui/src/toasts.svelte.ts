// Short confirmations. Errors are not toasts: they stay where they happened until they are solved or closed.

/** How long a confirmation stays, in milliseconds. */
const STAY = 3000;

export class Toasts {
  text: string | undefined = $state();
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    clearTimeout(this.#timer);
    this.text = text;
    this.#timer = setTimeout(() => (this.text = undefined), STAY);
  }
}
