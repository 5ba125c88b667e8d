// When an account's pause ends, its condition changes without anybody telling: it is read again then.
import type { AccountView } from './api/client';
import { backAt } from './home-state';

/** So that the gateway's clock has passed the moment as well, in milliseconds. */
const MARGIN = 250;
/** A pause that is over and still said to last is asked about again for this long, in milliseconds. */
const PATIENCE = 10_000;
/** Timers take no longer waits. */
const LONGEST = 2 ** 31 - 1;

/** In how many milliseconds the accounts are worth reading again; undefined when nothing ends by itself. */
export function nextLook(accounts: readonly AccountView[], now: number): number | undefined {
  const ends = accounts.flatMap((account) => [
    ...(account.enabled ? [backAt(account) ?? []].flat() : []),
    ...(account.modelPauses ?? []).map((pause) => pause.until),
  ]);
  const waits = ends.flatMap((end) => (end > now ? [end - now + MARGIN] : end > now - PATIENCE ? [1000] : []));
  return waits.length === 0 ? undefined : Math.min(...waits, LONGEST);
}

/** Calls `look` once when it is time; the returned function calls it off. */
export function lookWhenDue(accounts: readonly AccountView[], look: () => void): (() => void) | undefined {
  const wait = nextLook(accounts, Date.now());
  if (wait === undefined) return undefined;
  const timer = setTimeout(look, wait);
  return () => clearTimeout(timer);
}
