// Server-sent events read from a streamed answer. Both hosts deliver answers the same way, so one reader serves both.
import { createParser } from 'eventsource-parser';

/** One event: its name (`message` when it has none) and its data. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** Events in order. Ends with the answer; throws when the answer breaks. Leaving the loop stops the answer. */
export async function* serverEvents(response: Response): AsyncGenerator<ServerEvent> {
  if (!response.body) return;
  const ready: ServerEvent[] = [];
  const parser = createParser({
    onEvent: (event) => ready.push({ event: event.event ?? 'message', data: event.data }),
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* ready.splice(0);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
