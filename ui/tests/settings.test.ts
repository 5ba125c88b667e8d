import { describe, expect, it } from 'vitest';
import { createApi } from '../src/api/client';
import { Queries } from '../src/api/queries';
import { patchFor, SettingsEditor } from '../src/settings-editor.svelte';
import { FakeHost, json } from './fake-host';

async function editing() {
  const host = new FakeHost();
  const queries = new Queries(createApi(host));
  await queries.settings.refresh();
  return { host, queries, editor: new SettingsEditor(queries) };
}

describe('saving a setting', () => {
  it('sends a patch with that setting only, and the revision it was based on', async () => {
    const { host, editor } = await editing();
    expect(await editor.save('listener.port', 9000)).toBe(true);
    expect(host.calls.at(-1)).toEqual({ call: 'PATCH /api/settings', body: { revision: 1, patch: { listener: { port: 9000 } } } });
    expect([editor.state, editor.value('listener.port'), editor.view?.revision]).toEqual(['saved', 9000, 2]);
    expect(patchFor('a.b.c', 1)).toEqual({ a: { b: { c: 1 } } });
  });

  it('saves on top of a change of another setting made elsewhere, and keeps both', async () => {
    const { host, editor } = await editing();
    host.set('look', { theme: 'dark' });
    expect(await editor.save('listener.port', 9000)).toBe(true);
    expect([editor.value('listener.port'), editor.value('look.theme'), host.settings.revision]).toEqual([9000, 'dark', 3]);
  });

  it('overwrites nothing when the same setting was changed elsewhere, until the person says so', async () => {
    const { host, editor } = await editing();
    host.set('listener', { port: 7000 });
    expect(await editor.save('listener.port', 9000)).toBe(false);
    expect([editor.state, editor.conflict]).toEqual(['conflict', { path: 'listener.port', mine: 9000, theirs: 7000 }]);
    expect(editor.value('listener.port')).toBe(7000);
    await editor.settle(true);
    expect([editor.value('listener.port'), editor.conflict, editor.state]).toEqual([9000, undefined, 'saved']);
  });

  it('keeps theirs when the person says so', async () => {
    const { host, editor } = await editing();
    host.set('listener', { port: 7000 });
    await editor.save('listener.port', 9000);
    await editor.settle(false);
    expect([editor.value('listener.port'), editor.conflict, host.count('PATCH /api/settings')]).toEqual([7000, undefined, 1]);
  });

  it('gives up when others never stop saving', async () => {
    const { host, editor } = await editing();
    host.special.set('PATCH /api/settings', () => {
      host.set('logs', {});
      return json({ code: 'revision_conflict', message: 'saved elsewhere' }, 409);
    });
    expect(await editor.save('listener.port', 9000)).toBe(false);
    expect([editor.state, editor.error?.code, host.count('PATCH /api/settings')]).toEqual(['failed', 'revision_conflict', 4]);
  });

  it('shows a refused field at the field, until it is saved', async () => {
    const { host, editor } = await editing();
    const refused = { code: 'out_of_range', message: 'must be between 1 and 65535' };
    host.special.set('PATCH /api/settings', () =>
      json({ code: 'invalid_fields', message: 'refused', fields: { 'listener.port': refused } }, 422),
    );
    await editor.save('listener.port', 70000);
    expect([editor.state, editor.fields]).toEqual(['failed', { 'listener.port': refused }]);
    host.special.clear();
    await editor.save('listener.port', 7000);
    expect([editor.state, editor.fields]).toEqual(['saved', {}]);
  });
});
