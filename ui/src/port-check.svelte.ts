// Says while a person types whether a port could be used, and who has it when not.
import type { PortView } from './api/client';

export type PortCheckState =
  | { kind: 'none' }
  | { kind: 'invalid' }
  | { kind: 'checking' }
  | { kind: 'free' }
  | { kind: 'ours' }
  | { kind: 'taken'; holder?: { name: string; pid: number }; suggestion?: number }
  | { kind: 'unknown' };

/** Typing pauses shorter than this (milliseconds) ask nobody. */
export const QUIET = 250;
/** How many ports above a taken one are tried for a suggestion. */
const LOOK_AHEAD = 20;

/** The port a text means, if it is one. */
export function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text.trim())) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

export class PortCheck {
  state: PortCheckState = $state.raw({ kind: 'none' });
  readonly #look: (port: number) => Promise<PortView>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;

  constructor(look: (port: number) => Promise<PortView>) {
    this.#look = look;
  }

  /** Takes what was typed. Only the latest text counts, however late the answers come. */
  type(text: string): void {
    clearTimeout(this.#timer);
    const round = ++this.#round;
    const port = parsePort(text);
    if (port === undefined) {
      this.state = text.trim() === '' ? { kind: 'none' } : { kind: 'invalid' };
      return;
    }
    this.state = { kind: 'checking' };
    this.#timer = setTimeout(() => void this.#check(port, round), QUIET);
  }

  /** Forgets everything. */
  clear(): void {
    this.type('');
  }

  async #check(port: number, round: number): Promise<void> {
    const tell = (state: PortCheckState) => {
      if (round === this.#round) this.state = state;
    };
    try {
      const view = await this.#look(port);
      if (view.ours) return tell({ kind: 'ours' });
      if (view.free) return tell({ kind: 'free' });
      const taken = { kind: 'taken' as const, ...(view.holder ? { holder: view.holder } : {}) };
      tell(taken);
      for (let next = port + 1; next <= Math.min(port + LOOK_AHEAD, 65535); next += 1) {
        if (round !== this.#round) return;
        if ((await this.#look(next)).free) return tell({ ...taken, suggestion: next });
      }
    } catch {
      tell({ kind: 'unknown' });
    }
  }
}
