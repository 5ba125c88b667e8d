// Models, the meaning of names, and what a key changes, through the real pages.
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import App from '../src/App.svelte';
import type { ModelRule } from '../src/api/client';
import { asRules, draftOf, emptyDraft, moved } from '../src/rule-drafts';
import { Session } from '../src/session';
import { account, FakeHost, json, models, traced } from './fake-host';

let host: FakeHost;
beforeEach(() => {
  location.hash = '';
  host = new FakeHost();
  host.accounts = [account()];
});
afterEach(cleanup);

const by = (id: string) => screen.findByTestId(id);
const all = (id: string) => screen.getAllByTestId(id);
const click = async (id: string) => fireEvent.click(await by(id));
const type = async (element: HTMLElement, value: string) => fireEvent.input(element, { target: { value } });
async function open(page = 'models') {
  location.hash = `#/${page}`;
  render(App, { session: new Session(host) });
  await by('nav-home');
}
const rule = (match: string, targets: string[], more: Partial<ModelRule> = {}): ModelRule => ({
  match,
  kind: 'exact',
  targets,
  enabled: true,
  ...more,
});
const saved = () => (host.calls.filter((one) => one.call === 'PATCH /api/settings').at(-1)?.body as { patch: { models: { rules: unknown } } }).patch.models.rules;

describe('the list of models', () => {
  it('shows window, inputs, effort, cost and who may use it', async () => {
    await open();
    await waitFor(() => expect(all('model')).toHaveLength(2));
    const opus = all('model')[1] as HTMLElement;
    for (const words of ['claude-opus-5', '200K', 'text, images', 'low to high', '× 1.3']) expect(opus).toHaveTextContent(words);
    await waitFor(() => expect(opus).toHaveTextContent('alice@example.com'));
    await fireEvent.click(within(opus).getByTestId('copy-model'));
    expect(host.copied).toEqual(['claude-opus-5']);
    expect(await by('other-names')).toHaveTextContent('1');
  });

  it('says when no account has told yet what it is offered, and asks again on demand', async () => {
    host.models = models({ listKnown: false, unlisted: ['a1'] });
    await open();
    expect(await by('list-unknown')).toBeInTheDocument();
    host.models = models();
    await click('refresh-models');
    await waitFor(() => expect(screen.queryByTestId('list-unknown')).toBeNull());
    expect(host.count('POST /api/models/refresh')).toBe(1);
  });

  it('explains why it cannot be shown, and tries again', async () => {
    host.special.set('GET /api/models', () => json({ code: 'internal', message: 'oops' }, 500));
    await open();
    const problem = await by('problem');
    expect(problem).toHaveAttribute('data-code', 'internal');
    host.special.clear();
    await fireEvent.click(within(problem).getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(all('model')).toHaveLength(2));
  });
});

describe('the tester', () => {
  it('tells what a name would mean while it is typed, and follows a suggestion', async () => {
    host.special.set('POST /api/models/test', (request) => {
      const { name } = JSON.parse(request.body ?? '{}') as { name: string };
      if (name === 'claude-opus-5') return json(traced(name));
      return json({ ...traced(name, { by: 'passedOn', offered: false }), nearest: 'claude-opus-5' });
    });
    await open();
    await type(await by('test-name'), 'claude-opus-9');
    const result = await by('test-result');
    expect(result).toHaveAttribute('data-by', 'passedOn');
    expect(result).toHaveTextContent('Not offered');
    await click('test-nearest');
    await waitFor(async () => expect(await by('test-result')).toHaveAttribute('data-by', 'name'));
    await type(await by('test-name'), '');
    await waitFor(() => expect(screen.queryByTestId('test-result')).toBeNull());
  });

  it('asks with the rules of the chosen key', async () => {
    await open();
    await type(await by('test-name'), 'auto');
    await by('test-result');
    await fireEvent.change(await by('test-key'), { target: { value: 'k1' } });
    const asked = { call: 'POST /api/models/test', body: { name: 'auto', keyId: 'k1' } };
    await waitFor(() => expect(host.calls).toContainEqual(asked));
  });

  it('says when a text can be no name', async () => {
    host.special.set('POST /api/models/test', () => json({ code: 'invalid_request', message: 'no' }, 400));
    await open();
    await type(await by('test-name'), 'two words');
    expect(await by('problem')).toHaveTextContent("This cannot be a model's name.");
  });
});

describe('rules', () => {
  it('are saved together, and only when the person says so', async () => {
    await open();
    await by('no-rules');
    await click('add-rule');
    await type(await by('rule-match'), 'gpt-*');
    await type(await by('rule-targets'), 'claude-opus-5， auto,');
    expect(host.count('PATCH /api/settings')).toBe(0);
    await click('save-rules');
    await waitFor(() => expect(saved()).toEqual([rule('gpt-*', ['claude-opus-5', 'auto'], { kind: 'wildcard' })]));
    await waitFor(() => expect(screen.queryByTestId('save-rules')).toBeNull());
    expect(await by('rule-kind')).toHaveValue('wildcard');
  });

  it('can be moved, switched off and taken away, or left as they were', async () => {
    host.set('models', { rules: [rule('a', ['auto']), rule('b', ['auto']), rule('c', ['auto'])] });
    await open();
    await waitFor(() => expect(all('rule')).toHaveLength(3));
    await fireEvent.click(all('rule-down')[0] as HTMLElement);
    await fireEvent.click(all('rule-remove')[2] as HTMLElement);
    await fireEvent.click(all('rule-enabled')[0] as HTMLElement);
    await click('save-rules');
    await waitFor(() => expect(saved()).toEqual([rule('b', ['auto'], { enabled: false }), rule('a', ['auto'])]));
    await type(all('rule-match')[0] as HTMLElement, 'x');
    await click('discard-rules');
    expect(all('rule-match')[0]).toHaveValue('b');
    expect(host.count('PATCH /api/settings')).toBe(1);
  });

  it('show what is wrong at the field, and keep what was written', async () => {
    const fields = { 'models.rules.0.targets': { code: 'out_of_range', message: 'a rule has 1 to 16 targets' } };
    host.special.set('PATCH /api/settings', () => json({ code: 'invalid_fields', message: 'refused', fields }, 422));
    await open();
    await click('add-rule');
    await type(await by('rule-match'), 'fast');
    await click('save-rules');
    expect(await by('rule-refused')).toHaveTextContent('Name 1 to 16 models.');
    expect(await by('rule-match')).toHaveValue('fast');
    expect(await by('rule-targets')).toHaveAttribute('aria-invalid', 'true');
    await type(await by('rule-targets'), 'auto');
    expect(screen.queryByTestId('rule-refused')).toBeNull();
  });

  it('do not overwrite rules that were changed elsewhere, until the person says so', async () => {
    await open();
    await click('add-rule');
    await type(await by('rule-match'), 'mine');
    await type(await by('rule-targets'), 'auto');
    host.set('models', { rules: [rule('theirs', ['auto'])] });
    await click('save-rules');
    await fireEvent.click(within(await by('rules-conflict')).getByText('Use mine'));
    await waitFor(() => expect(host.settings.settings.models.rules).toEqual([rule('mine', ['auto'])]));
  });

  it('cannot be changed when they are set from outside', async () => {
    host.settings.overrides = [{ path: 'models.rules', source: 'environment', value: [] }];
    await open();
    expect(await by('add-rule')).toBeDisabled();
  });
});

describe('keys', () => {
  it('begin answers with true figures when told to, and go back when that cannot be saved', async () => {
    await open('settings');
    const start = await by('key-buffered');
    await fireEvent.click(start);
    await waitFor(() => expect(host.keys[0]?.options).toEqual({ bufferedStart: true, modelRules: [], accountTags: [] }));
    await waitFor(async () => expect(await by('key-buffered')).toBeChecked());
    host.special.set('PATCH /api/keys/k1', () => json({ code: 'storage', message: 'disk full' }, 500));
    await fireEvent.click(await by('key-buffered'));
    expect(await by('problem')).toHaveAttribute('data-code', 'storage');
    await waitFor(async () => expect(await by('key-buffered')).toBeChecked());
  });

  it('have rules of their own, which leave the rest of the key alone', async () => {
    host.keys = host.keys.map((one) => ({ ...one, options: { bufferedStart: true, modelRules: [], accountTags: [] } }));
    await open('settings');
    await click('key-rules');
    const row = within(await by('key-row'));
    await fireEvent.click(row.getByTestId('add-rule'));
    await type(row.getByTestId('rule-match'), 'fast');
    await type(row.getByTestId('rule-targets'), 'auto');
    await fireEvent.click(row.getByTestId('save-rules'));
    await waitFor(() => expect(host.keys[0]?.options).toEqual({ bufferedStart: true, modelRules: [rule('fast', ['auto'])], accountTags: [] }));
  });
});

describe('the newest requests', () => {
  it('show by which model a name was answered, and why', async () => {
    const trace = traced('gpt-4o', { by: 'rule', model: 'auto', rule: { at: 1, match: 'gpt-*' } }).trace;
    const flow = { id: 'f', at: 0, protocol: 'openai-chat', model: 'gpt-4o', upstreamModel: 'auto', modelTrace: trace };
    host.flows = [{ ...flow, simulated: false, status: 200, durationMs: 1, outcome: 'complete' } as never];
    await open('home');
    expect(await by('answered-by')).toHaveTextContent('→ auto');
    expect(await by('answered-by')).toHaveAttribute('title', 'Rule 2 for all keys decides: gpt-*');
  });
});

describe('drafts of rules', () => {
  it('keep the identity of a rule while it moves', () => {
    const drafts = draftOf([rule('a', ['auto']), rule('b', ['auto'])]);
    expect(moved(drafts, 0, 1).map((one) => one.id)).toEqual(['saved-1', 'saved-0']);
    expect(emptyDraft().id).not.toBe(emptyDraft().id);
  });

  it('become the rules they were made of', () => {
    const rules = [rule('a', ['auto', 'b'], { kind: 'prefix', enabled: false }), rule('x*', ['auto'], { kind: 'wildcard' })];
    expect(asRules(draftOf(rules))).toEqual(rules);
  });
});
