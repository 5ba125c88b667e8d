// The catalogues: complete, equal in both languages, and nothing in them that nobody uses.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import en from '../locales/en.json';
import zh from '../locales/zh.json';
import openapi from '../src/api/openapi.json';
import { allFields } from '../src/settings-schema';

/** One case of a tagged union in the document. */
interface Tagged {
  properties: { kind: { enum: string[] } };
}

const english: Record<string, string> = en;
const chinese: Record<string, string> = zh;
const keys = Object.keys(english);
const root = join(import.meta.dirname, '..');

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|svelte)$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}
const sources = filesBelow(join(root, 'src')).map((file) => readFileSync(file, 'utf8'));
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

/** Keys that are put together while running, as patterns: `account.${state}` in a page is `account.` and something. */
const families = [
  ...sources
    .flatMap((text) => [...text.matchAll(/\b(?:t|maybe)\(`([^`]+)`/g)])
    .map(([, key = '']) => new RegExp(`^${key.replaceAll(/[.*+?^()|[\]\\]/g, '\\$&').replaceAll(/\$\{.+?\}/g, '.+')}$`)),
  /^tray\./, // the desktop shell's
  /^signIn\.(page|remote)\./, // pages that the gateway itself shows to a browser
];

describe('catalogues', () => {
  it('have the same keys in both languages', () => {
    expect(Object.keys(chinese).sort()).toEqual([...keys].sort());
  });

  it('have the same placeholders in both languages', () => {
    for (const key of keys) expect([key, placeholders(chinese[key] ?? '')]).toEqual([key, placeholders(english[key] ?? '')]);
  });

  it('have no empty words', () => {
    for (const key of keys) expect([key, english[key]?.trim(), chinese[key]?.trim()]).not.toContain('');
  });

  it('are in Chinese where they are Chinese', () => {
    const same = keys.filter((key) => english[key] === chinese[key] && /[a-z]{3}/.test(english[key] ?? ''));
        const names = /^(provider|owner|login\.kind)\.|^signIn\.remote\.idc\.title$/; // of makers and their products
    const others = same.filter((key) => !names.test(key));
    expect(others).toEqual(['app.name', 'receipt.tokensValue', 'settings.look.language.en']);
  });

  it('have no key that nobody uses', () => {
    const text = sources.join('\n');
    const unused = keys.filter(
      (key) => !families.some((family) => family.test(key)) && !text.includes(`'${key}'`),
    );
    expect(unused).toEqual([]);
  });
});

describe('families of keys', () => {
  it('name every setting and every choice of the gateway', () => {
    const missing: string[] = [];
    const wanted = new Set<string>();
    for (const { path, control } of allFields()) {
      wanted.add(`settings.${path}.label`).add(`settings.${path}.help`);
      if (control.kind === 'choice') for (const option of control.options) wanted.add(`settings.${path}.${option}`);
    }
    for (const key of wanted) if (!(key in english)) missing.push(key);
    expect(missing).toEqual([]);
    // ... and no setting that is gone.
    const sections = new Set(allFields().map((field) => `settings.${field.section}.`));
    const stale = keys.filter((key) => [...sections].some((section) => key.startsWith(section)) && !wanted.has(key));
    expect(stale).toEqual([]);
  });

  it('explain every problem code of the gateway', () => {
    const codes: string[] = openapi.components.schemas.ProblemCode.enum;
    expect(codes.filter((code) => !(`problem.${code}.what` in english))).toEqual([]);
    // Why a gateway did not even open is told by the desktop shell, in its place.
    const shell = ['data_dir_locked', 'data_dir_unusable', 'settings_unusable', 'saved_state_unreadable'];
    const known = new Set([...codes, ...shell, 'unreachable', 'unreadable', 'details']);
    expect(keys.filter((key) => key.startsWith('problem.') && !known.has(key.split('.')[1] ?? ''))).toEqual([]);
  });

  it('name every outcome of a request, every condition of an account and of the store', () => {
    const schemas = openapi.components.schemas as unknown as Record<string, { enum?: string[]; oneOf?: Tagged[] } | undefined>;
    const wanted = [
      ...(schemas['FlowOutcome']?.enum ?? []).map((outcome) => `flow.${outcome}`),
      ...(schemas['AccountState']?.oneOf ?? []).flatMap((one) => one.properties.kind.enum).map((kind) => `account.${kind}`),
    ];
    wanted.push(
      ...(schemas['StoreState']?.enum ?? [])
        .filter((state) => state !== 'ready')
        .flatMap((state) => [`store.${state}.what`, `store.${state}.next`]),
    );
    expect(wanted.length).toBeGreaterThan(20);
    expect(wanted.filter((key) => !(key in english))).toEqual([]);
  });

  it('name everybody who decides about a model, and every way to compare', () => {
    const schemas = openapi.components.schemas;
    const wanted = [
      ...schemas.Decider.enum.map((by) => `tester.by.${by}`),
      ...schemas.MatchKind.enum.flatMap((kind) => [`rules.kind.${kind}`, `rules.match.${kind}`]),
    ];
    expect(wanted.filter((key) => !(key in english))).toEqual([]);
    const known = keys.filter((key) => /^(tester\.by|rules\.kind|rules\.match)\./.test(key));
    expect(known.filter((key) => !wanted.includes(key))).toEqual([]);
  });

  it('name what an account, a sign-in and a piece of news can be', () => {
    const schemas = openapi.components.schemas as unknown as Record<string, { enum?: string[] } | undefined>;
    const families: [schema: string, words: (value: string) => string[]][] = [
      ['AuthMethod', (value) => [`method.${value}`]],
      ['AccountOrigin', (value) => [`origin.${value}`]],
      ['StoreKind', (value) => [`vault.kind.${value}`]],
      ['KeySource', (value) => [`vault.keySource.${value}`, `vault.next.${value}`]],
      ['LinkOwner', (value) => [`owner.${value}`]],
      ['Provider', (value) => [`provider.${value.toLowerCase()}`]],
      ['AccountWarning', (value) => [`warning.${value}`]],
      ['LoginKind', (value) => [`login.kind.${value}`, `login.kind.${value}.help`, `login.kind.${value}.next`]],
      ['LoginState', (value) => [`login.state.${value}`]],
      ['PartKind', (value) => [`quota.part.${value}`]],
      ['NotificationKind', (value) => [`notification.${value}`]],
      ['Awaits', (value) => [`awaits.${value}`]],
    ];
    for (const [schema, words] of families) {
      const values = schemas[schema]?.enum ?? [];
      expect([schema, values.length]).not.toContain(0);
      expect(values.flatMap(words).filter((key) => !(key in english))).toEqual([]);
    }
  });

  it('name every listener state, in the window and in the tray', () => {
    for (const state of openapi.components.schemas.ListenerState.enum) {
      expect(keys).toEqual(expect.arrayContaining([`state.${state}`, `state.${state}.help`, `tray.state.${state}`]));
    }
  });
});

describe('pages', () => {
  it('contain no words of their own', () => {
    const offenders: string[] = [];
    for (const file of filesBelow(join(root, 'src')).filter((name) => name.endsWith('.svelte'))) {
      const markup = readFileSync(file, 'utf8')
        .replaceAll(/<(script|style)[\s\S]*?<\/\1>/g, '')
        .replaceAll(/&\w+;/g, '')
        .replaceAll(/\{[^{}]*\}/g, '')
        .replaceAll(/\{[^{}]*\}/g, '')
        .replaceAll(/\{[^{}]*\}/g, '');
      for (const [, text] of markup.matchAll(/>([^<>]*)</g)) if (/[A-Za-z]{2}/.test(text ?? '')) offenders.push(`${file}: ${text}`);
      for (const [whole] of markup.matchAll(/(?:title|placeholder|aria-label|alt)="[^"]*[A-Za-z]{2}[^"]*"/g)) offenders.push(`${file}: ${whole}`);
    }
    expect(offenders).toEqual([]);
  });

  it('set no style by attribute, which the content security policy forbids', () => {
    expect(sources.filter((text) => /\sstyle=/.test(text))).toEqual([]);
  });
});
