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
  return {
    code: problem.code,
    what: usable ? what : problem.message,
    detail: problem.message,
    ...(did === undefined ? {} : { did }),
    ...(next === undefined ? {} : { next }),
  };
}

/** The same for a secret store that cannot be used, which has a way out for each of its states. */
export function explainStore(store: Status['store'], i18n: I18n): Explained {
  const general = explain({ code: 'store_unavailable', message: `${store.kind}: ${store.state}` }, i18n);
  const what = i18n.maybe(`store.${store.state}.what`) ?? general.what;
  const next = i18n.maybe(`store.${store.state}.next`) ?? general.next;
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
