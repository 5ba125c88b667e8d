// Keys of the whole window and of lists, as pure as they can be.

/** What is held together with a letter. */
export const COMMAND_KEY = navigator.userAgent.includes('Mac') ? '⌘' : 'Ctrl';

/** Where letters are typed or have a meaning of their own: keys without Ctrl belong to the field. */
export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input:not([type=radio], [type=checkbox]), textarea, select'));
}

/** Whether a key was pressed alone. Shift is part of some characters, such as `?`. */
export function isPlain(event: KeyboardEvent): boolean {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;
}

/** Whether Ctrl, or Cmd on a Mac, was held and nothing else. */
export function isCommand(event: KeyboardEvent): boolean {
  return (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && !event.isComposing;
}

/** The place a step leads to, from nowhere to one of the ends; it does not run over them. */
export function stepTo(from: number, step: 1 | -1, count: number): number {
  if (from < 0) return step > 0 ? 0 : count - 1;
  return Math.min(count - 1, Math.max(0, from + step));
}

/** Every key there is, by the words that name it: `shortcuts.<name>`. */
export const KEYS = [
  ['commands', [COMMAND_KEY, 'K']],
  ['help', ['?']],
  ['pages', [COMMAND_KEY, '1–6']],
  ['settings', [COMMAND_KEY, ',']],
  ['find', [COMMAND_KEY, 'F']],
  ['next', ['J']],
  ['previous', ['K']],
  ['details', ['Space']],
  ['copy', [COMMAND_KEY, 'C']],
  ['undo', [COMMAND_KEY, 'Z']],
  ['back', ['Esc']],
  ['again', ['F5']],
] as const;
