// A test question on its way through the real pipeline, and its receipt.
import { asApiError, ApiError, problemOf } from './api/client';
import type { Host } from './api/host';
import { serverEvents } from './api/sse';

export type AskState = 'idle' | 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed';

/** What an answer took. Times in milliseconds since the question was sent. */
export interface Receipt {
  /** Id of the request, as in the list of recent ones. */
  request?: string;
  account?: string;
  simulated: boolean;
  model?: string;
  firstWordMs?: number;
  totalMs?: number;
  inputTokens?: number;
  outputTokens?: number;
}

/** A failure of the answer itself; `type` is the code of the Anthropic error event. */
export class AnswerFailure extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
    this.name = 'AnswerFailure';
  }
}

interface Frame {
  type?: string;
  delta?: { type?: string; text?: string };
  message?: { model?: string; usage?: Usage };
  usage?: Usage;
  error?: { type?: string; message?: string };
  account?: string | { label?: string } | null;
  simulated?: boolean;
  request?: string;
}
interface Usage {
  input_tokens?: number;
  output_tokens?: number;
}

export class Asking {
  state: AskState = $state('idle');
  answer = $state('');
  receipt: Receipt | undefined = $state.raw();
  error: AnswerFailure | ApiError | undefined = $state.raw();
  readonly #host: Host;
  readonly #now: () => number;
  #stop: AbortController | undefined;

  constructor(host: Host, now: () => number = () => performance.now()) {
    this.#host = host;
    this.#now = now;
  }

  get busy(): boolean {
    return this.state === 'waiting' || this.state === 'streaming';
  }

  stop(): void {
    this.#stop?.abort();
  }

  async ask(question: string): Promise<void> {
    if (this.busy) return;
    const stop = new AbortController();
    this.#stop = stop;
    const began = this.#now();
    this.state = 'waiting';
    this.answer = '';
    this.receipt = undefined;
    this.error = undefined;
    try {
      const body = JSON.stringify({ question });
      const response = await this.#host.fetch('/api/try', { method: 'POST', body, signal: stop.signal });
      if (!response.ok) throw await problemOf(response);
      let complete = false;
      for await (const event of serverEvents(response)) {
        complete = this.#take(event.event, JSON.parse(event.data) as Frame, began) || complete;
      }
      if (!complete) throw new AnswerFailure('cut_off', 'The answer ended before it was complete.');
      this.#receipt({ totalMs: this.#now() - began });
      this.state = 'done';
    } catch (error) {
      if (stop.signal.aborted) {
        this.state = 'stopped';
        return;
      }
      this.error = error instanceof AnswerFailure ? error : asApiError(error);
      this.state = 'failed';
    }
  }

  /** Takes one event; true for the last one of a complete answer. */
  #take(name: string, frame: Frame, began: number): boolean {
    switch (name === 'message' ? frame.type : name) {
      case 'receipt': {
        const account = typeof frame.account === 'string' ? frame.account : frame.account?.label;
        const { request } = frame;
        this.#receipt({ simulated: frame.simulated ?? false, ...(account ? { account } : {}), ...(request ? { request } : {}) });
        return false;
      }
      case 'message_start':
        this.#receipt({ ...(frame.message?.model ? { model: frame.message.model } : {}), ...tokens(frame.message?.usage) });
        return false;
      case 'content_block_delta':
        if (frame.delta?.type !== 'text_delta' || !frame.delta.text) return false;
        if (this.state === 'waiting') {
          this.state = 'streaming';
          this.#receipt({ firstWordMs: this.#now() - began });
        }
        this.answer += frame.delta.text;
        return false;
      case 'message_delta':
        this.#receipt(tokens(frame.usage));
        return false;
      case 'error':
        throw new AnswerFailure(frame.error?.type ?? 'api_error', frame.error?.message ?? '');
      case 'message_stop':
        return true;
      default:
        return false;
    }
  }

  #receipt(more: Partial<Receipt>): void {
    this.receipt = { simulated: false, ...this.receipt, ...more };
  }
}

function tokens(usage: Usage | undefined): Partial<Receipt> {
  return {
    ...(usage?.input_tokens ? { inputTokens: usage.input_tokens } : {}),
    ...(usage?.output_tokens ? { outputTokens: usage.output_tokens } : {}),
  };
}
