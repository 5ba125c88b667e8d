// Light or dark, written on the root element; `app.css` has the colours of both.

export type ThemeSetting = 'system' | 'light' | 'dark';

/** Applies a setting and, for `system`, follows the system until the returned function is called. */
export function applyTheme(setting: ThemeSetting): () => void {
  const root = document.documentElement;
  if (setting !== 'system') {
    root.dataset['theme'] = setting;
    return () => undefined;
  }
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => (root.dataset['theme'] = dark.matches ? 'dark' : 'light');
  follow();
  dark.addEventListener('change', follow);
  return () => dark.removeEventListener('change', follow);
}
