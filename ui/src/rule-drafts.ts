// Rules for model names while a person writes them: text in fields, with an identity that survives being moved.
import type { ModelRule } from './api/client';

export const KINDS = ['exact', 'prefix', 'wildcard'] as const satisfies readonly ModelRule['kind'][];

export interface RuleDraft {
  /** Identity for the page; the gateway knows none. */
  id: string;
  match: string;
  kind: ModelRule['kind'];
  /** Names with commas between them. */
  targets: string;
  enabled: boolean;
}

/** Rules as drafts. The same rules have the same identities, so that nothing jumps when they are read again. */
export function draftOf(rules: readonly ModelRule[]): RuleDraft[] {
  return rules.map((rule, at) => ({
    id: `saved-${at}`,
    match: rule.match,
    kind: rule.kind,
    targets: rule.targets.join(', '),
    enabled: rule.enabled,
  }));
}

let made = 0;

export function emptyDraft(): RuleDraft {
  made += 1;
  return { id: `new-${made}`, match: '', kind: 'exact', targets: '', enabled: true };
}

/** What is saved. A name with a star can only be meant as a pattern. */
export function asRules(drafts: readonly RuleDraft[]): ModelRule[] {
  return drafts.map((draft) => {
    const match = draft.match.trim();
    return {
      match,
      kind: match.includes('*') ? 'wildcard' : draft.kind,
      targets: draft.targets
        .split(/[,，]/)
        .map((name) => name.trim())
        .filter((name) => name !== ''),
      enabled: draft.enabled,
    };
  });
}

export function sameRules(a: readonly ModelRule[], b: readonly ModelRule[]): boolean {
  const text = (rules: readonly ModelRule[]) =>
    JSON.stringify(rules.map(({ match, kind, targets, enabled }) => [match, kind, targets, enabled]));
  return text(a) === text(b);
}

/** The list with one entry at another place. */
export function moved<T>(all: readonly T[], from: number, to: number): T[] {
  const rest = all.filter((_, at) => at !== from);
  const one = all[from];
  return one === undefined ? [...all] : [...rest.slice(0, to), one, ...rest.slice(to)];
}
