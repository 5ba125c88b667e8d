// Every word a person reads. `t()` takes only keys of the English catalogue and asks for exactly its placeholders.
import english from '../locales/en.json';
import chinese from '../locales/zh.json';

export type Key = keyof typeof english;
/** What the `look.language` setting can be. */
export type LanguageSetting = 'system' | 'en' | 'zh-CN';
export type Language = Exclude<LanguageSetting, 'system'>;
/** Values for `{placeholders}`. Numbers are written the way the language does. */
export type Values = Record<string, string | number>;

const catalogues: Record<Language, Record<Key, string>> = { en: english, 'zh-CN': chinese };

/** The language a setting means on a system with these preferred languages. */
export function resolveLanguage(setting: LanguageSetting, preferred: readonly string[]): Language {
  if (setting !== 'system') return setting;
  for (const tag of preferred) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'zh') return 'zh-CN';
    if (language === 'en') return 'en';
  }
  return 'en';
}

/** Whether the catalogue has a word for a key that was put together while running. */
export function isKey(key: string): key is Key {
  return Object.hasOwn(english, key);
}

export class I18n {
  /** The language in use. */
  language: Language = $state('en');

  constructor(setting: LanguageSetting = 'system') {
    this.setLanguage(setting);
  }

  /** Switches at once, everywhere. */
  setLanguage(setting: LanguageSetting): void {
    this.language = resolveLanguage(setting, navigator.languages);
    document.documentElement.lang = this.language;
  }

  /** The words for a key. */
  t = (key: Key, values: Values = {}): string => {
    const text = catalogues[this.language][key];
    return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      if (value === undefined) return whole;
      return typeof value === 'number' ? value.toLocaleString(this.language) : value;
    });
  };

  /** The words for a key that may not exist, such as one of a newer gateway's codes. */
  maybe(key: string, values: Values = {}): string | undefined {
    return isKey(key) ? this.t(key, values) : undefined;
  }

  /** A large number, short: `200K`, `1M`. */
  compact(value: number): string {
    return new Intl.NumberFormat(this.language, { notation: 'compact', maximumFractionDigits: 1 }).format(value);
  }

  /** A length of time in milliseconds, short: `340ms`, `2.1s`, `3m`. */
  duration(ms: number): string {
    const unit = (value: number, name: string, digits: number) =>
      new Intl.NumberFormat(this.language, {
        style: 'unit',
        unit: name,
        unitDisplay: 'narrow',
        maximumFractionDigits: digits,
      }).format(value);
    if (ms < 1000) return unit(Math.round(ms), 'millisecond', 0);
    if (ms < 60_000) return unit(ms / 1000, 'second', 1);
    return unit(ms / 60_000, 'minute', 0);
  }

  /** A moment (milliseconds since the epoch): the time today, else the day and the time. */
  moment(at: number, now: number): string {
    const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
    const time = { hour: '2-digit', minute: '2-digit' } as const;
    const format = sameDay ? time : ({ month: 'short', day: 'numeric', ...time } as const);
    return new Intl.DateTimeFormat(this.language, format).format(at);
  }
}
