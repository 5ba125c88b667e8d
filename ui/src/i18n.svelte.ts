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

function dayFormat(at: number, now: number): Intl.DateTimeFormatOptions {
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? {} : ({ year: 'numeric' } as const);
  return { month: 'short', day: 'numeric', ...year };
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

  /** An amount, with at most two decimals. */
  number(value: number): string {
    return value.toLocaleString(this.language, { maximumFractionDigits: 2 });
  }

  /** A share of 100. */
  percent(value: number): string {
    return new Intl.NumberFormat(this.language, { style: 'percent', maximumFractionDigits: 0 }).format(value / 100);
  }

  /** A length of time in milliseconds, short: `340ms`, `2.1s`, `3m`. */
  duration(ms: number): string {
    if (ms < 1000) return this.#unit(Math.round(ms), 'millisecond', 0);
    if (ms < 60_000) return this.#unit(ms / 1000, 'second', 1);
    return this.#unit(ms / 60_000, 'minute', 0);
  }

  /** How long something still takes, in its two largest units: `42s`, `4m 10s`, `2h 5m`, `9d 3h`. Never below zero. */
  left(ms: number): string {
    const seconds = Math.max(0, Math.ceil(ms / 1000));
    const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    const parts =
      days > 0
        ? ([[days, 'day'], [hours, 'hour']] as const)
        : hours > 0
          ? ([[hours, 'hour'], [minutes, 'minute']] as const)
          : minutes > 0
            ? ([[minutes, 'minute'], [seconds % 60, 'second']] as const)
            : ([[seconds, 'second']] as const);
    const told = parts.filter(([value], index) => index === 0 || value > 0);
    return told.map(([value, name]) => this.#unit(value, name, 0)).join(' ');
  }

  /** How long ago something was: `now`, `2 min. ago`, `yesterday`. */
  ago(ms: number): string {
    const format = new Intl.RelativeTimeFormat(this.language, { numeric: 'auto', style: 'short' });
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return format.format(0, 'second');
    if (seconds < 3600) return format.format(-Math.floor(seconds / 60), 'minute');
    if (seconds < 86_400) return format.format(-Math.floor(seconds / 3600), 'hour');
    return format.format(-Math.floor(seconds / 86_400), 'day');
  }

  /** A day (milliseconds since the epoch), with the year where it is another one. */
  day(at: number, now: number): string {
    return new Intl.DateTimeFormat(this.language, dayFormat(at, now)).format(at);
  }

  #unit(value: number, unit: string, digits: number): string {
    const format = { style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: digits } as const;
    return new Intl.NumberFormat(this.language, format).format(value);
  }

  /** A moment (milliseconds since the epoch): the time today, else the day and the time, with the year where it is another one. */
  moment(at: number, now: number): string {
    const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
    const time = { hour: '2-digit', minute: '2-digit' } as const;
    const format = sameDay ? time : { ...dayFormat(at, now), ...time };
    return new Intl.DateTimeFormat(this.language, format).format(at);
  }
}
