import { describe, expect, it, vi } from 'vitest';
import { Asking } from '../src/ask.svelte';
import { FakeHost, FakeStream, json } from './fake-host';

function asking() {
  const host = new FakeHost();
  const stream = new FakeStream();
  let now = 0;
  host.special.set('POST /api/try', (request) => {
    request.signal?.addEventListener('abort', () => stream.breakOff());
    return stream.response;
  });
  return { host, stream, asking: new Asking(host, () => now), wait: (ms: number) => (now += ms) };
}
const delta = (text: string) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });

describe('a test question', () => {
  it('streams its answer and ends with a receipt', async () => {
    const { stream, asking: ask, wait, host } = asking();
    const done = ask.ask('Hello?');
    expect(ask.state).toBe('waiting');
    stream.event('receipt', { account: 'Demo account', simulated: true });
    stream.event('message_start', { message: { model: 'm', usage: { input_tokens: 3 } } });
    stream.event('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } });
    await vi.waitFor(() => expect(ask.receipt?.model).toBe('m'));
    expect(ask.state).toBe('waiting');
    wait(120);
    stream.event('content_block_delta', delta('Hel'));
    await vi.waitFor(() => expect(ask.answer).toBe('Hel'));
    expect(ask.state).toBe('streaming');
    stream.event('content_block_delta', delta('lo.'));
    stream.event('message_delta', { usage: { output_tokens: 2 } });
    stream.event('message_stop', {});
    await vi.waitFor(() => expect(ask.answer).toBe('Hello.'));
    wait(380);
    stream.end();
    await done;
    expect([ask.state, ask.answer]).toEqual(['done', 'Hello.']);
    expect(ask.receipt).toEqual({
      account: 'Demo account', simulated: true, model: 'm', firstWordMs: 120, totalMs: 500, inputTokens: 3, outputTokens: 2,
    });
    expect(host.calls[0]?.body).toEqual({ question: 'Hello?' });
  });

  it('never calls a cut answer complete', async () => {
    const { stream, asking: ask } = asking();
    const done = ask.ask('Hello?');
    stream.event('content_block_delta', delta('Half of'));
    stream.end();
    await done;
    expect([ask.state, ask.answer, ask.error]).toMatchObject(['failed', 'Half of', { type: 'cut_off' }]);
  });

  it('keeps what arrived when an error event ends the answer', async () => {
    const { stream, asking: ask } = asking();
    const done = ask.ask('Hello?');
    stream.event('content_block_delta', delta('Half'));
    stream.event('error', { error: { type: 'overloaded_error', message: 'no capacity' } });
    await done;
    expect([ask.state, ask.answer, ask.error]).toMatchObject(['failed', 'Half', { type: 'overloaded_error' }]);
  });

  it('stops when the person says so, and tells the gateway', async () => {
    const { stream, asking: ask } = asking();
    const done = ask.ask('Hello?');
    stream.event('content_block_delta', delta('Half'));
    await vi.waitFor(() => expect(ask.answer).toBe('Half'));
    ask.stop();
    await done;
    expect([ask.state, ask.answer, ask.error]).toEqual(['stopped', 'Half', undefined]);
  });

  it('shows the problem of a question that was refused', async () => {
    const { host, asking: ask } = asking();
    host.special.set('POST /api/try', () => json({ code: 'no_account', message: 'none' }, 503));
    await ask.ask('Hello?');
    expect([ask.state, ask.error]).toMatchObject(['failed', { code: 'no_account' }]);
  });
});
