import { describe, expect, it } from 'vitest';
import { I18n } from '../src/i18n.svelte';
import { explain, explainStore } from '../src/problem';

const SHOWN = [
  ['keychain', 'locked', 'store_locked'],
  ['keychain', 'absent', 'store_absent'],
  ['keychain', 'denied', 'store_denied'],
  ['keychain', 'timedOut', 'store_timed_out'],
  ['vault', 'locked', 'vault_locked'],
  ['vault', 'keyMissing', 'vault_key_missing'],
  ['vault', 'keyWrong', 'vault_key_wrong'],
  ['vault', 'corrupt', 'store_corrupt'],
] as const;

describe.each(['en', 'zh-CN'] as const)('a secret store that cannot be used, in %s', (language) => {
  const i18n = new I18n(language);

  it('has words of its own for each state', () => {
    const words = SHOWN.map(([kind, state]) => explainStore({ kind, state }, i18n));
    expect(new Set(words.map((one) => one.what)).size).toBe(SHOWN.length);
    expect(new Set(words.map((one) => one.next)).size).toBe(SHOWN.length);
  });

  it.each(SHOWN)('says the same of a refused call (%s, %s)', (kind, state, reason) => {
    const status = explainStore({ kind, state }, i18n);
    const call = explain({ code: 'store_unavailable', message: 'x', params: { reason } }, i18n);
    expect([call.what, call.next]).toEqual([status.what, status.next]);
  });

  it('keeps the general words for a reason it does not know', () => {
    const general = explain({ code: 'store_unavailable', message: 'x' }, i18n);
    expect(explain({ code: 'store_unavailable', message: 'x', params: { reason: 'new' } }, i18n)).toEqual(general);
  });
});
