// Records of requests through the real page: found, opened, marked, exported, deleted, and kept up to date.
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MarkedFlow } from '../src/api/client';
import { account, FakeHost, json } from './fake-host';
import { by, choose, click, none, openApp, type } from './harness';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.accounts = [account()];
});
afterEach(cleanup);

function flow(id: string, more: Partial<MarkedFlow> = {}): MarkedFlow {
  return {
    id,
    at: Date.now() - 60_000,
    protocol: 'anthropic',
    client: 'claude-cli',
    model: `model-${id}`,
    upstreamModel: 'claude-sonnet-4.5',
    account: 'a1',
    simulated: false,
    delivery: 'stream',
    status: 200,
    durationMs: 1500,
    firstEventMs: 300,
    usage: { inputTokens: 1200, outputTokens: 340, credits: 0.42 },
    notices: [{ code: 'ignored', path: 'metadata.user_id', detail: 'not sent on' }],
    attempts: [
      { operation: 'answer', reason: 'first', account: 'gone', host: 'q.one.test', status: 429, code: 'ThrottlingException', ms: 95 },
      { operation: 'answer', reason: 'otherAccount', account: 'a1', host: 'q.two.test', status: 200, code: null, ms: 610, credits: 0.42 },
    ],
    outcome: 'complete',
    failureCode: null,
    bookmarked: false,
    note: null,
    tags: [],
    ...more,
  } as MarkedFlow;
}
const shown = () => screen.queryAllByTestId('request-row').map((row) => row.dataset['id']);
const row = (id: string) => screen.getAllByTestId('request-row').find((one) => one.dataset['id'] === id) as HTMLElement;
async function open(flows: MarkedFlow[]) {
  host.flows = flows;
  await openApp(host, 'requests');
}

describe('the list of requests', () => {
  it('says what to do while there is none, and leads there', async () => {
    await open([]);
    expect(await by('requests-empty')).toHaveTextContent('No requests yet. Connect a tool or send a test.');
    await click('requests-connect');
    await waitFor(() => expect(location.hash).toBe('#/home'));
  });

  it('says when records are switched off', async () => {
    host.flowStore = 'off';
    await open([]);
    expect(await by('requests-none')).toHaveTextContent('switched off');
  });

  it('shows outcome, tool, account by name, time and credits, and sums', async () => {
    await open([flow('1'), flow('2', { outcome: 'failed', failureCode: 'no_account', usage: {} as MarkedFlow['usage'] })]);
    await waitFor(() => expect(shown()).toEqual(['1', '2']));
    for (const words of ['Complete', 'model-1', 'claude-cli', 'alice@example.com', '1.5s', '0.42']) expect(row('1')).toHaveTextContent(words);
    expect(row('2')).toHaveTextContent('Failed');
    expect(await by('requests-sums')).toHaveTextContent('1 (50%)');
    expect(await by('requests-count')).toHaveTextContent('2 of 2 shown.');
  });

  it('follows what happens: a request under way, its end, a mark from elsewhere', async () => {
    await open([flow('1')]);
    await waitFor(() => expect(shown()).toEqual(['1']));
    host.flows = [flow('2', { outcome: 'running' }), flow('1')];
    host.announce({ type: 'status', status: { ...host.status, inFlight: 1 } });
    await waitFor(() => expect(row('2')).toHaveTextContent('Under way'));
    expect(within(row('2')).queryByTestId('bookmark')).toBeNull();
    host.flows = [flow('2', { bookmarked: true }), flow('1')];
    host.announce({ type: 'flows', id: '2' });
    await waitFor(() => expect(within(row('2')).getByTestId('bookmark')).toHaveAttribute('aria-pressed', 'true'));
  });

  it('is narrowed by every filter, and told from where nothing fits', async () => {
    await open([flow('1'), flow('2', { outcome: 'failed', protocol: 'gemini', tags: ['slow'] })]);
    await waitFor(() => expect(shown()).toHaveLength(2));
    await choose('requests-outcome', 'failed');
    await waitFor(() => expect(shown()).toEqual(['2']));
    await choose('requests-outcome', '');
    await choose('requests-protocol', 'anthropic');
    await waitFor(() => expect(shown()).toEqual(['1']));
    await choose('requests-protocol', '');
    await type('requests-search', 'MODEL-2');
    await waitFor(() => expect(shown()).toEqual(['2']));
    await fireEvent.click(within(row('2')).getByText('#slow'));
    await type('requests-search', '');
    await waitFor(() => expect(shown()).toEqual(['2']));
    await click('requests-tag');
    await waitFor(() => expect(shown()).toHaveLength(2));
    await click('requests-bookmarked');
    expect(await by('requests-none')).toHaveTextContent('No request fits.');
    await click('requests-unfilter');
    await waitFor(() => expect(shown()).toHaveLength(2));
  });

  it('asks for a span that ends now', async () => {
    await open([flow('1')]);
    await waitFor(() => expect(shown()).toHaveLength(1));
    let asked = '';
    host.special.set('GET /api/flows/stats', () => json({}, 503));
    const fetch = host.fetch.bind(host);
    host.fetch = (path, request) => {
      if (path.startsWith('/api/flows?')) asked = path;
      return fetch(path, request);
    };
    await choose('requests-span', '24');
    await waitFor(() => expect(asked).toContain('since='));
    const since = Number(new URLSearchParams(asked.split('?')[1]).get('since'));
    expect(Math.abs(Date.now() - 24 * 3_600_000 - since)).toBeLessThan(60_000);
  });

  it('shows more on demand', async () => {
    await open(Array.from({ length: 70 }, (_, n) => flow(String(n))));
    await waitFor(() => expect(shown()).toHaveLength(50));
    await click('requests-more');
    await waitFor(() => expect(shown()).toHaveLength(70));
    expect(none('requests-more')).toBe(true);
  });

  it('explains why it cannot be read', async () => {
    host.special.set('GET /api/flows', () => json({ code: 'internal', message: 'broken' }, 500));
    await openApp(host, 'requests');
    await waitFor(() => expect(screen.getAllByRole('alert').length).toBeGreaterThan(0));
  });
});

describe('one request', () => {
  beforeEach(async () => {
    await open([flow('1'), flow('2')]);
    await waitFor(() => expect(shown()).toHaveLength(2));
  });

  it('is opened by keyboard, tells every attempt, and gives the keyboard back', async () => {
    const button = within(row('1')).getByTestId('open-request');
    button.focus();
    await fireEvent.click(button);
    const details = await by('request-details');
    expect(details).toHaveFocus();
    expect(details).toHaveAccessibleName('Request to model-1');
    const attempts = await by('request-attempts');
    for (const words of ['ThrottlingException · 429', 'Another account', 'q.two.test', '610ms', '0.42 credits', 'alice@example.com']) expect(attempts).toHaveTextContent(words);
    expect(details).toHaveTextContent('What was asked and answered is not recorded.');
    await fireEvent.keyDown(window, { key: 'Escape' });
    await waitFor(() => expect(none('request-details')).toBe(true));
    expect(button).toHaveFocus();
  });

  it('is bookmarked from the list', async () => {
    await fireEvent.click(within(row('2')).getByTestId('bookmark'));
    await waitFor(() => expect(within(row('2')).getByTestId('bookmark')).toHaveAttribute('aria-pressed', 'true'));
    expect(host.sent('PATCH /api/flows/2')).toEqual({ bookmarked: true });
  });

  it('takes a note and tags, and says what is wrong with them', async () => {
    await fireEvent.click(within(row('1')).getByTestId('open-request'));
    await type('request-note', 'look again');
    await type('request-tags', 'slow, team a，x,');
    await click('save-marks');
    await waitFor(() => expect(host.sent('PATCH /api/flows/1')).toEqual({ note: 'look again', tags: ['slow', 'team a', 'x'] }));
    await waitFor(() => expect(row('1')).toHaveTextContent('#team a'));
    const fields = { tags: { code: 'out_of_range', message: 'a tag has at most 40 characters' } };
    host.special.set('PATCH /api/flows/1', () => json({ code: 'invalid_fields', message: 'no', fields }, 422));
    await click('save-marks');
    await waitFor(async () => expect(await by('request-tags')).toHaveAttribute('aria-invalid', 'true'));
  });
});

describe('taking along and deleting', () => {
  beforeEach(async () => {
    await open([flow('1'), flow('2', { bookmarked: true })]);
    await waitFor(() => expect(shown()).toHaveLength(2));
  });

  it('exports what the filter means, in the form that was chosen', async () => {
    await choose('requests-protocol', 'anthropic');
    await choose('requests-format', 'markdown');
    await click('requests-export');
    await waitFor(() => expect(host.saved).toEqual([{ fileName: 'requests.json', content: '{}' }]));
    expect(host.sent('POST /api/flows/export')).toEqual({ format: 'markdown', filter: { protocol: 'anthropic' } });
  });

  it('shows the text where files cannot be saved', async () => {
    host.saves = 'unsupported';
    await click('requests-export');
    expect(await by('requests-file')).toHaveValue('{}');
  });

  it('deletes all after a question, and the marked ones only when told', async () => {
    await click('requests-clear');
    expect(host.count('DELETE /api/flows')).toBe(0);
    await click('requests-clear-now');
    await waitFor(() => expect(shown()).toEqual(['2']));
    await click('requests-clear');
    await click('requests-clear-marked');
    await click('requests-clear-now');
    expect(await by('requests-empty')).toBeInTheDocument();
  });
});

describe('the speed test', () => {
  const measured = {
    rounds: 3,
    hosts: [
      { host: 'q.one.test', region: 'us-east-1', answered: 3, connectMs: 40, firstByteMs: 60, totalMs: 100, status: 404, problem: null, problemCode: null },
      { host: 'q.two.test', region: 'eu-central-1', answered: 0, connectMs: null, firstByteMs: null, totalMs: null, status: null, problem: 'planted words', problemCode: 'late' },
    ],
  };

  it('measures on demand, on the way that was chosen, and tells what did not answer', async () => {
    host.special.set('POST /api/speed-test', () => json(measured));
    await open([]);
    expect(host.count('POST /api/speed-test')).toBe(0);
    await waitFor(() => expect(screen.getByText('alice@example.com')).toBeInTheDocument());
    await choose('speed-way', 'a1');
    await click('speed-run');
    const table = await by('speed-table');
    for (const words of ['q.one.test', '40ms', '100ms', '3 of 3', '0 of 3', 'It did not answer in time.']) expect(table).toHaveTextContent(words);
    expect(table).not.toHaveTextContent('planted words');
    expect(host.sent('POST /api/speed-test')).toEqual({ account: 'a1' });
  });

  it('says why it could not be made', async () => {
    host.special.set('POST /api/speed-test', () => json({ code: 'stopping', message: 'stopping' }, 503));
    await open([]);
    await click('speed-run');
    await waitFor(() => expect(screen.getAllByRole('alert').length).toBeGreaterThan(0));
    expect(none('speed-table')).toBe(true);
  });
});
