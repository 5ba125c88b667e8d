import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parsePort, PortCheck, QUIET } from '../src/port-check.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('port check', () => {
  it('accepts whole numbers from 1 to 65535 only', () => {
    expect(['1', '8080', ' 65535 '].map(parsePort)).toEqual([1, 8080, 65535]);
    expect(['', '0', '65536', '-1', '80.5', '8e3', 'http', '080800'].map(parsePort)).toEqual(Array(8).fill(undefined));
  });

  it('asks once after a pause in typing, and names who holds the port', async () => {
    const look = vi.fn((port: number) =>
      Promise.resolve({ port, free: port !== 3000, ours: false, holder: port === 3000 ? { pid: 7, name: 'node' } : null }),
    );
    const check = new PortCheck(look);
    for (const text of ['3', '30', '300', '3000']) check.type(text);
    expect(check.state.kind).toBe('checking');
    await vi.advanceTimersByTimeAsync(QUIET);
    expect(look.mock.calls.map(([port]) => port)).toEqual([3000, 3001]);
    expect(check.state).toEqual({ kind: 'taken', holder: { pid: 7, name: 'node' }, suggestion: 3001 });
  });

  it('ignores an answer that comes after the text has changed', async () => {
    const answers = new Map<number, (free: boolean) => void>();
    const check = new PortCheck(
      (port) => new Promise((resolve) => answers.set(port, (free) => resolve({ port, free, ours: false, holder: null }))),
    );
    check.type('1000');
    await vi.advanceTimersByTimeAsync(QUIET);
    check.type('2000');
    await vi.advanceTimersByTimeAsync(QUIET);
    answers.get(2000)?.(true);
    await vi.advanceTimersByTimeAsync(0);
    answers.get(1000)?.(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(check.state.kind).toBe('free');
  });

  it('tells our own port and an unanswered question apart from a free one', async () => {
    const ours = new PortCheck((port) => Promise.resolve({ port, free: false, ours: true, holder: null }));
    ours.type('8080');
    const silent = new PortCheck(() => Promise.reject(new Error('no answer')));
    silent.type('8080');
    await vi.advanceTimersByTimeAsync(QUIET);
    expect([ours.state.kind, silent.state.kind]).toEqual(['ours', 'unknown']);
  });

  it('refuses what is no port without asking', async () => {
    const look = vi.fn();
    const check = new PortCheck(look);
    check.type('99999');
    expect(check.state.kind).toBe('invalid');
    check.type('');
    expect(check.state.kind).toBe('none');
    await vi.advanceTimersByTimeAsync(QUIET * 2);
    expect(look).not.toHaveBeenCalled();
  });
});
