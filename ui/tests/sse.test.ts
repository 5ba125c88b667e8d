import { describe, expect, it } from 'vitest';
import { serverEvents } from '../src/api/sse';
import { FakeStream } from './fake-host';

const TEXT = ': comment\n\nevent: receipt\ndata: {"account":"演示"}\n\ndata: one\ndata: two\r\n\r\n';
const EVENTS = [
  { event: 'receipt', data: '{"account":"演示"}' },
  { event: 'message', data: 'one\ntwo' },
];

async function collect(response: Response) {
  const events = [];
  for await (const event of serverEvents(response)) events.push(event);
  return events;
}

function inPieces(bytes: Uint8Array, size: number): Response {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
  return new Response(stream);
}

describe('server-sent events', () => {
  it('are the same for every split of the bytes, also inside a character', async () => {
    const bytes = new TextEncoder().encode(TEXT);
    for (let size = 1; size <= bytes.length; size += 1) expect(await collect(inPieces(bytes, size))).toEqual(EVENTS);
  });

  it('do not deliver an event that was cut', async () => {
    expect(await collect(inPieces(new TextEncoder().encode('data: whole\n\ndata: half'), 5))).toEqual([
      { event: 'message', data: 'whole' },
    ]);
  });

  it('throw when the answer breaks', async () => {
    const stream = new FakeStream();
    const events = collect(stream.response);
    stream.event('a', 1);
    stream.breakOff();
    await expect(events).rejects.toThrow('connection reset');
  });

  it('stop the answer when the reader leaves', async () => {
    const stream = new FakeStream();
    stream.event('a', 1);
    for await (const event of serverEvents(stream.response)) {
      expect(event.event).toBe('a');
      break;
    }
    expect(stream.cancelled).toHaveBeenCalledOnce();
  });
});
