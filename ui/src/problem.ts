// A problem in a person's words: what happened, what we did, what you can do.
import { ApiError, asApiError, type Problem, type Status } from './api/client';
import type { AnswerFailure } from './ask.svelte';
import type { I18n } from './i18n.svelte';

export interface Explained {
  code: string;
  /** What happened. */
  what: string;
  /** What the program did about it. */
  did?: string;
  /** What the person can do. */
  next?: string;
  /** The gateway's own words, for a report. */
  detail: string;
}

/** Translates by code; a code this page does not know keeps the gateway's words. */
export function explain(problem: Pick<Problem, 'code' | 'message'> & Partial<Problem>, i18n: I18n): Explained {
  const params = problem.params ?? {};
  const what = i18n.maybe(`problem.${problem.code}.what`, params);
  // A sentence with an unfilled placeholder is worse than the gateway's own.
  const usable = what !== undefined && !/\{\w+\}/.test(what);
  const did = i18n.maybe(`problem.${problem.code}.did`, params);
  const next = i18n.maybe(`problem.${problem.code}.next`, params) ?? problem.action ?? undefined;
  const explained: Explained = {
    code: problem.code,
    what: usable ? what : problem.message,
    detail: problem.message,
    ...(did === undefined ? {} : { did }),
    ...(next === undefined ? {} : { next }),
  };
  const store = problem.code === 'store_unavailable' ? STORE_REASONS[params['reason'] ?? ''] : undefined;
  return store === undefined ? explained : withStoreWords(explained, store, i18n);
}

/** Each way in which a secret store can fail, by the gateway's reason, with words of its own. */
const STORE_REASONS: Record<string, string> = {
  store_locked: 'locked',
  vault_locked: 'vaultLocked',
  store_absent: 'absent',
  no_credential_store: 'absent',
  store_denied: 'denied',
  store_timed_out: 'timedOut',
  vault_key_missing: 'keyMissing',
  vault_key_wrong: 'keyWrong',
  store_corrupt: 'corrupt',
};

/** A secret store that cannot be used has a way out for each of its states. */
export function explainStore(store: Status['store'], i18n: I18n): Explained {
  const general = explain({ code: 'store_unavailable', message: `${store.kind}: ${store.state}` }, i18n);
  return withStoreWords(general, store.state === 'locked' && store.kind === 'vault' ? 'vaultLocked' : store.state, i18n);
}

function withStoreWords(general: Explained, state: string, i18n: I18n): Explained {
  const what = i18n.maybe(`store.${state}.what`) ?? general.what;
  const next = i18n.maybe(`store.${state}.next`) ?? general.next;
  return { ...general, what, ...(next === undefined ? {} : { next }) };
}

/** The same for something thrown. */
export function explainError(error: unknown, i18n: I18n): Explained {
  const api = asApiError(error);
  if (api.problem) return explain(api.problem, i18n);
  return explain({ code: api.code as Problem['code'], message: api.message }, i18n);
}

/** The same for a test question: failures inside the answer have the codes of the client protocol. */
export function explainAnswer(error: AnswerFailure | ApiError, i18n: I18n): Explained {
  if (error instanceof ApiError) return explainError(error, i18n);
  const what = i18n.maybe(`answer.${error.type}`) ?? i18n.t('answer.api_error');
  return { code: error.type, what, next: i18n.t('answer.next'), detail: error.message };
}
