// Three ways to be patient with the service, each a set of values of the settings below it.
import { valueAt } from './settings-editor.svelte';

/** What each policy sets, by path below `limits`. */
export const POLICIES = {
  gentle: { retries: 1, attempts: 4, retryDelayMilliseconds: 1000 },
  normal: { retries: 2, attempts: 8, retryDelayMilliseconds: 400 },
  persistent: { retries: 5, attempts: 16, retryDelayMilliseconds: 400 },
} as const;

export type Policy = keyof typeof POLICIES;

export const RETRY_PATHS = Object.keys(POLICIES.normal).map((name) => `limits.${name}`);

/** The policy whose values hold; nothing when a person chose others. */
export function policyOf(settings: unknown): Policy | undefined {
  const names = Object.keys(POLICIES) as Policy[];
  return names.find((name) => Object.entries(POLICIES[name]).every(([field, value]) => valueAt(settings, `limits.${field}`) === value));
}
