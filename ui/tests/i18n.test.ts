import { describe, expect, it } from 'vitest';
import { I18n, resolveLanguage } from '../src/i18n.svelte';
import { explain } from '../src/problem';

describe('language', () => {
  it('follows the first language of the system that we speak', () => {
    expect(resolveLanguage('system', ['de-DE', 'zh-TW', 'en'])).toBe('zh-CN');
    expect(resolveLanguage('system', ['EN-gb', 'zh'])).toBe('en');
    expect(resolveLanguage('system', ['fr'])).toBe('en');
    expect(resolveLanguage('zh-CN', ['en'])).toBe('zh-CN');
  });

  it('switches words and the document at once', () => {
    const i18n = new I18n('en');
    expect([i18n.t('nav.home'), document.documentElement.lang]).toEqual(['Home', 'en']);
    i18n.setLanguage('zh-CN');
    expect([i18n.t('nav.home'), document.documentElement.lang]).toEqual(['主页', 'zh-CN']);
  });

  it('fills placeholders and leaves unknown ones to be seen', () => {
    const i18n = new I18n('en');
    expect(i18n.t('port.takenBy', { name: 'node', pid: '4711' })).toBe('Used by node (process 4711)');
    expect(i18n.t('port.takenBy', { name: 'node' })).toContain('{pid}');
    expect(i18n.t('home.inFlight', { count: 1234 })).toBe('answering 1,234');
  });

  it('writes durations for people', () => {
    const i18n = new I18n('en');
    expect([340.4, 2140, 180_000].map((ms) => i18n.duration(ms))).toEqual(['340ms', '2.1s', '3m']);
  });

  it('says the time of today, else the day too, and the year where it is another one', () => {
    const i18n = new I18n('en');
    const now = new Date(2026, 5, 15, 12).getTime();
    const words = [new Date(2026, 5, 15, 9, 5), new Date(2026, 6, 1, 9, 5), new Date(2027, 0, 1, 9, 5)].map((at) => i18n.moment(at.getTime(), now));
    expect(words).toEqual(['09:05 AM', 'Jul 1, 09:05 AM', 'Jan 1, 2027, 09:05 AM']);
  });
});

describe('problems', () => {
  const i18n = new I18n('en');

  it('say what happened, what was done and what to do', () => {
    const params = { port: '8080', holder: 'node', pid: '1' };
    expect(explain({ code: 'port_in_use', message: 'taken', params }, i18n)).toMatchObject({
      what: 'Port 8080 is used by node.',
      did: 'The gateway was not started; your settings are unchanged.',
      next: 'Choose another port, or close that program and try again.',
    });
  });

  it('keep the words of the gateway when a code is new or a value is missing', () => {
    const fresh = { code: 'brand_new' as never, message: 'Something new.', action: 'Do this.' };
    expect(explain(fresh, i18n)).toMatchObject({ what: 'Something new.', next: 'Do this.' });
    expect(explain({ code: 'port_in_use', message: 'taken by somebody' }, i18n).what).toBe('taken by somebody');
  });
});
