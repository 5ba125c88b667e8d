import { describe, expect, it } from 'vitest';
import { accountInUse, nextAction, shownAddress } from '../src/home-state';
import { account, demoAccount, status } from './fake-host';

const cooling = account({ id: 'a2', state: { kind: 'coolingDown', until: 1 } as never });

describe('the account in use', () => {
  it.each([
    ['no account at all', [], false, { kind: 'none' }],
    ['a real one', [account()], false, { kind: 'one', account: { id: 'a1' } }],
    ['the demo account, marked as such', [demoAccount], true, { kind: 'one', account: { demo: true } }],
    ['the real one although there is a demo account', [demoAccount, account()], false, { kind: 'one', account: { id: 'a1' } }],
    ['the demo account while the real one rests', [cooling, demoAccount], true, { kind: 'one', account: { demo: true } }],
    ['none, when all rest', [cooling, account({ id: 'a3', enabled: false })], false, { kind: 'unusable', count: 2 }],
    ['several', [account(), account({ id: 'a3' }), cooling], false, { kind: 'several', count: 2 }],
  ])('is %s', (_, accounts, simulated, expected) => {
    expect(accountInUse(status({ simulated }), accounts)).toMatchObject(expected);
  });

  it('is the chosen one alone, and nobody else while it cannot answer', () => {
    const accounts = [account(), account({ id: 'a3' }), cooling];
    expect(accountInUse(status(), accounts, 'a3')).toMatchObject({ kind: 'one', account: { id: 'a3' } });
    expect(accountInUse(status(), accounts, 'a2')).toEqual({ kind: 'unusable', count: 1 });
    expect(accountInUse(status(), accounts, 'gone')).toMatchObject({ kind: 'several' });
  });
});

it('offers the step that is possible, and none while one is under way', () => {
  const states = ['stopped', 'failed', 'running', 'starting', 'stopping'] as const;
  expect(states.map(nextAction)).toEqual(['start', 'start', 'stop', undefined, undefined]);
});

it('shows where it would listen while it does not', () => {
  expect(shownAddress(status({ addresses: [], port: 9000 }))).toBe('http://127.0.0.1:9000');
});
