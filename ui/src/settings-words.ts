// The words of a setting. A setting of a newer gateway shows its path until the catalogue names it.
import type { I18n } from './i18n.svelte';
import { valueAt } from './settings-editor.svelte';

export function settingLabel(i18n: I18n, path: string): string {
  return i18n.maybe(`settings.${path}.label`) ?? path;
}

export function settingHelp(i18n: I18n, path: string): string | undefined {
  return i18n.maybe(`settings.${path}.help`);
}

/** A value as a person reads it. */
export function valueWords(i18n: I18n, path: string, value: unknown): string {
  if (typeof value === 'boolean') return i18n.t(value ? 'settings.on' : 'settings.off');
  return i18n.maybe(`settings.${path}.${String(value)}`) ?? String(value);
}

/** `startup.atLogin` is `setting-at-login`. */
export function settingTestId(path: string): string {
  const name = path.split('.').at(-1) ?? path;
  return `setting-${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** From which shares of a quota on, in percent, a person wants to hear of it. */
export function thresholdsOf(settings: unknown): { warn: number; alert: number } {
  const number = (path: string, otherwise: number) => {
    const value = valueAt(settings, path);
    return typeof value === 'number' ? value : otherwise;
  };
  return { warn: number('quota.warnPercent', 80), alert: number('quota.alertPercent', 95) };
}
