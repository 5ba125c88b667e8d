// Which page is shown. The address's hash holds it, so back and forward work in the window and in a browser.

export const PAGES = ['home', 'accounts', 'requests', 'usage', 'models', 'settings'] as const;
export type Page = (typeof PAGES)[number];

function pageOf(hash: string): Page {
  const name = hash.replace(/^#\/?/, '');
  return PAGES.find((page) => page === name) ?? 'home';
}

export class Router {
  page: Page = $state(pageOf(location.hash));
  /** What the page should bring into view, such as a setting's path. The page takes it. */
  target: string | undefined = $state();

  /** Follows the address until the returned function is called. */
  start(): () => void {
    const follow = () => (this.page = pageOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }

  go(page: Page, target?: string): void {
    this.target = target;
    location.hash = `#/${page}`;
    this.page = page;
  }
}
