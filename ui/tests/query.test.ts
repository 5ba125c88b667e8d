import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApi, type NotificationEvent } from '../src/api/client';
import { EventFollower } from '../src/api/events.svelte';
import { Queries } from '../src/api/queries';
import { Query } from '../src/api/query.svelte';
import { account, FakeHost, login, status } from './fake-host';

describe('a query', () => {
  it('reads once more, and only once, for all wishes during a running read', async () => {
    const answers: ((value: number) => void)[] = [];
    const query = new Query<number>(() => new Promise((resolve) => answers.push(resolve)));
    const first = query.refresh();
    void query.refresh();
    void query.refresh();
    answers[0]?.(1);
    await vi.waitFor(() => expect(answers).toHaveLength(2));
    answers[1]?.(2);
    await first;
    expect([query.data, answers.length]).toEqual([2, 2]);
  });

  it('does not go back to an older answer when a newer one came by event', async () => {
    let answer: (value: string) => void = () => undefined;
    const query = new Query<string>(() => new Promise((resolve) => (answer = resolve)));
    const reading = query.refresh();
    query.set('newer');
    answer('older');
    await reading;
    expect(query.data).toBe('newer');
  });

  it('keeps the last answer when a read fails, and says why', async () => {
    let fail = false;
    const query = new Query(() => (fail ? Promise.reject(new Error('gone')) : Promise.resolve('kept')));
    await query.refresh();
    fail = true;
    await query.refresh();
    expect([query.data, query.error?.code, query.error?.message]).toEqual(['kept', 'unreachable', 'gone']);
  });
});

describe('following events', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const settle = () => vi.advanceTimersByTimeAsync(0);

  function following() {
    const host = new FakeHost();
    const queries = new Queries(createApi(host));
    const told: NotificationEvent[] = [];
    const follower = new EventFollower(host, queries, (event) => told.push(event));
    return { host, queries, follower, told, stop: follower.start() };
  }

  it('reads everything at the start and then what an event names', async () => {
    const { host, queries, stop } = following();
    await settle();
    expect(queries.status.data?.state).toBe('running');
    expect(queries.accounts.data?.accounts).toEqual([]);
    host.accounts = [account()];
    host.announce({ type: 'accounts' });
    await settle();
    expect(queries.accounts.data?.accounts).toHaveLength(1);
    expect([host.count('GET /api/accounts'), host.count('GET /api/settings')]).toEqual([2, 1]);
    host.announce({ type: 'status', status: status({ state: 'stopped' }) });
    await settle();
    expect(queries.status.data?.state).toBe('stopped');
    stop();
  });

  it('comes back after a broken stream and catches up on what it missed', async () => {
    const { host, queries, follower, stop } = following();
    await settle();
    host.status = status({ state: 'stopped' });
    host.events[0]?.breakOff();
    await vi.advanceTimersByTimeAsync(500);
    expect([host.events.length, queries.status.data?.state, follower.lost]).toEqual([2, 'stopped', undefined]);
    stop();
  });

  it('says that the gateway is lost when it stays away, and takes it back when it returns', async () => {
    const { host, follower, stop } = following();
    await settle();
    host.special.set('GET /api/events', () => Promise.reject(new Error('refused')));
    host.events[0]?.end();
    await vi.advanceTimersByTimeAsync(500);
    expect(follower.lost?.code).toBe('unreachable');
    host.special.clear();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(follower.lost).toBeUndefined();
    stop();
  });

  it('reads sign-ins again, and hands on what is told once', async () => {
    const { host, queries, told, stop } = following();
    await settle();
    host.logins = [login()];
    host.announce({ type: 'logins', id: 'l1' });
    const event = { type: 'notification', id: 'n1', kind: 'needsLogin', account: 'a1', label: 'alice' } as NotificationEvent;
    host.announce(event);
    await settle();
    expect(queries.logins.list.data?.map((one) => one.id)).toEqual(['l1']);
    expect(told).toEqual([event]);
    stop();
  });

  it('asks no more after it was stopped', async () => {
    const { host, stop } = following();
    await settle();
    stop();
    host.events[0]?.end();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(host.events).toHaveLength(1);
  });
});
