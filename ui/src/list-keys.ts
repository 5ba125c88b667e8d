// J and K move through the accounts, Space opens the one that has the keyboard, Ctrl+C copies who it is.
import { isCommand, isPlain, isTyping, stepTo } from './keys';

export interface ListActions {
  /** The account whose details are open. */
  opened: string | undefined;
  /** Opens the details of an account; undefined closes them. */
  open: (id: string | undefined) => void;
  copy: (id: string) => void;
}

const rowOf = (element: Element | null) => element?.closest<HTMLElement>('[data-row]') ?? undefined;

/** Does what a key means; false when it means nothing here. */
export function listKey(event: KeyboardEvent, { opened, open, copy }: ListActions): boolean {
  if (isTyping(event.target)) return false;
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const key = event.key.toLowerCase();
  const active = document.activeElement;
  if (isCommand(event) && key === 'c') {
    const row = rowOf(active);
    if (!row || !(getSelection()?.isCollapsed ?? true)) return false;
    copy(row.dataset['id'] ?? '');
    return true;
  }
  if (!isPlain(event) || event.shiftKey) return false;
  if (key === 'j' || key === 'k') {
    const current = opened === undefined ? rowOf(active) : rows.find((row) => row.dataset['id'] === opened);
    const next = rows[stepTo(current ? rows.indexOf(current) : -1, key === 'j' ? 1 : -1, rows.length)];
    if (!next) return false;
    if (opened === undefined) next.focus();
    else open(next.dataset['id']);
    next.scrollIntoView?.({ block: 'nearest' });
    return true;
  }
  if (key === ' ' && active instanceof HTMLElement) {
    if (active.matches('[data-row]')) {
      const { id } = active.dataset;
      open(id === opened ? undefined : id);
      return true;
    }
    if (active.matches('[data-preview]')) {
      open(undefined);
      return true;
    }
  }
  return false;
}
