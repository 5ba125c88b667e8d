// Which accounts wait for a person: one table for the tray and for the window.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import openapi from '../src/api/openapi.json';
import type { AccountView } from '../src/api/client';
import { counts } from '../src/account-list';
import { hints, needs } from '../src/attention';
import { nextLook } from '../src/pause-end';
import { account } from './fake-host';

const table = JSON.parse(readFileSync(join(__dirname, '../../tests/fixtures/faces/attention.json'), 'utf8')) as Record<string, boolean>;
const inState = (kind: string, more: Partial<AccountView> = {}) => account({ id: kind, state: { kind, until: 0, reason: '' } as never, ...more });

it('the table has every state of an account', () => {
  const kinds = openapi.components.schemas.AccountState.oneOf.flatMap((one) => one.properties.kind.enum as string[]);
  expect(kinds.length).toBeGreaterThan(6);
  expect(kinds.filter((kind) => !(kind in table))).toEqual([]);
});

it('the list and the filter follow the table', () => {
  const accounts = Object.keys(table).map((kind) => inState(kind));
  const wanted = Object.keys(table).filter((kind) => table[kind]);
  expect(needs(accounts).map((need) => need.account.id)).toEqual(wanted);
  expect(counts(accounts).attention).toBe(wanted.length);
  expect(hints(accounts, { warn: 80, alert: 95 }).filter((hint) => wanted.includes(hint.account.id))).toEqual([]);
});

it('what a person switched off waits for nobody', () => {
  expect(needs([inState('needsLogin', { enabled: false })])).toEqual([]);
});

it('accounts are read again just after the first pause ends, for a while when it does not, and never because of others', () => {
  const cooling = (until: number) => account({ state: { kind: 'coolingDown', until } as never });
  const paused = account({ modelPauses: [{ model: 'm', until: 1400 }] } as Partial<AccountView>);
  expect(nextLook([account(), cooling(3000), cooling(2000)], 1000)).toBe(1250);
  expect(nextLook([cooling(3000), paused], 1000)).toBe(650);
  expect(nextLook([cooling(900)], 1000)).toBe(1000);
  expect(nextLook([cooling(900), account({ enabled: false, state: { kind: 'coolingDown', until: 9000 } as never })], 60_000)).toBeUndefined();
  expect(nextLook([cooling(Number.MAX_SAFE_INTEGER)], 0)).toBe(2 ** 31 - 1);
});
