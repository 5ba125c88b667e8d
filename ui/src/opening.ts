// Where a sign-in page opens, as the gateway takes it.
import type { BrowserList, OpenAgain } from './api/client';
import { valueAt } from './settings-editor.svelte';

export type Opening = OpenAgain;

/** What the settings prefer, as far as this machine can do it. A browser that shows this page cannot open others. */
export function preferredOpening(settings: unknown, found: BrowserList | undefined, desktop: boolean): Opening {
  if (!desktop || found?.display === false) return { open: 'none' };
  if (valueAt(settings, 'login.popup') === true) return { open: 'popup' };
  const browsers = found?.browsers ?? [];
  const wanted = valueAt(settings, 'login.browser');
  const browser =
    browsers.find((one) => one.id === wanted) ?? browsers.find((one) => one.default) ?? browsers[0];
  if (!browser) return { open: 'popup' };
  const inPrivate = browser.private && valueAt(settings, 'login.privateWindow') === true;
  return { open: 'browser', browser: browser.id, private: inPrivate };
}
