// What appears in the corner: short confirmations, and what the gateway tells once about an account. Errors of something
// a person did are not here: they stay where they happened until they are solved or closed.
import type { NotificationEvent } from './api/client';

/** How long a confirmation stays, in milliseconds. */
const STAY = 3000;
/** More than this at once would cover the page; the oldest go, and stay in the list of what needs attention. */
const MOST = 4;

export class Toasts {
  text: string | undefined = $state();
  /** News of the gateway. They stay until closed. */
  news: readonly NotificationEvent[] = $state.raw([]);
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    clearTimeout(this.#timer);
    this.text = text;
    this.#timer = setTimeout(() => (this.text = undefined), STAY);
  }

  /** The same news about the same account replaces what was told before. */
  tell(event: NotificationEvent): void {
    const others = this.news.filter((one) => one.kind !== event.kind || one.account !== event.account);
    this.news = [...others, event].slice(-MOST);
  }

  close(id: string): void {
    this.news = this.news.filter((one) => one.id !== id);
  }
}
