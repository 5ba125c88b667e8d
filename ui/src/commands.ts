// Everything that the palette offers: pages, actions, accounts and every setting.
import { accountName } from './account-words';
import { WAYS } from './accounts-view.svelte';
import { COMMAND_KEY } from './keys';
import { nextAction, shownAddress } from './home-state';
import { PAGES } from './router.svelte';
import type { Session } from './session';
import { SettingsEditor } from './settings-editor.svelte';
import { allFields, type Field } from './settings-schema';
import { settingHelp, settingLabel, valueWords } from './settings-words';

export interface Command {
  id: string;
  words: string;
  /** What it is about, shown beside it and found as well. */
  group?: string;
  /** Found as well, not shown. */
  more?: string;
  /** The key that does the same. */
  keys?: string;
  run: () => unknown;
}

export function allCommands(session: Session): Command[] {
  return [...pages(session), ...gateway(session), ...accounts(session), ...settings(session), ...window(session)];
}

/** Those with every word of a search in them. */
export function matching(commands: readonly Command[], search: string): Command[] {
  const words = search.trim().toLowerCase().split(/\s+/);
  return commands.filter((command) => {
    const text = [command.words, command.group, command.more, command.id].join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function pages({ i18n: { t }, router }: Session): Command[] {
  return PAGES.map((page, index) => ({
    id: `go.${page}`,
    words: t('commands.go', { page: t(`nav.${page}`) }),
    keys: `${COMMAND_KEY} ${index + 1}`,
    run: () => router.go(page),
  }));
}

function gateway({ host, i18n: { t }, queries, toasts }: Session): Command[] {
  const status = queries.status.data;
  const key = queries.keys.data?.[0];
  const action = status && nextAction(status.state);
  const copy = async (text: string, done: string) => {
    await host.copy(text);
    toasts.say(done);
  };
  const all: (Command | false | undefined)[] = [
    status && { id: 'copy.address', words: t('home.copyAddress'), run: () => copy(shownAddress(status), t('home.addressCopied')) },
    key && { id: 'copy.key', words: t('key.copy'), run: async () => copy(await queries.revealKey(key.id), t('key.copied')) },
    action && { id: `gateway.${action}`, words: t(`home.${action}`), run: () => queries.setListening(action === 'start') },
  ];
  return all.filter((command) => !!command);
}

function accounts(session: Session): Command[] {
  const { accountsView, i18n, queries, router, toasts } = session;
  const { t } = i18n;
  const group = t('nav.accounts');
  const list = queries.accounts.data;
  const real = list?.accounts.some((account) => !account.demo) ?? false;
  const name = (id: string) => `account.${id}`;
  const show = (id: string) => {
    router.go('accounts');
    accountsView.details = id;
  };
  const use = async (id: string | null, done: string) => {
    await queries.account.only(id);
    toasts.say(done);
  };
  return [
    ...(list?.removed ?? []).map((one) => ({
      id: `undo.${one.id}`,
      group,
      words: t('commands.undo', { label: one.label }),
      keys: `${COMMAND_KEY} Z`,
      run: () => queries.account.undoRemoval(one.id),
    })),
    ...WAYS.map((way) => ({
      id: `add.${way}`,
      group,
      words: t('commands.add', { way: t(`add.${way}`) }),
      run: () => {
        router.go('accounts');
        accountsView.add(way);
      },
    })),
    ...(real
      ? [
          {
            id: 'accounts.refresh',
            group,
            words: t('accounts.refreshAll'),
            more: t('accounts.refreshAll.help'),
            run: async () => toasts.say(t('accounts.refreshedAll', { count: (await queries.account.refreshAll()).refreshed.length })),
          },
          {
            id: 'accounts.check',
            group,
            words: t('accounts.checkAll'),
            more: t('accounts.checkAll.help'),
            run: async () => {
              const asked = (await queries.account.checkAll()).filter((result) => !result.skipped);
              toasts.say(t('accounts.checkedAll', { ok: asked.filter((result) => result.ok).length, count: asked.length }));
            },
          },
        ]
      : []),
    ...((list?.accounts.length ?? 0) > 1
      ? [{ id: 'use.automatic', group, words: t('accounts.automatic'), more: t('accounts.automatic.help'), run: () => use(null, t('accounts.automaticNow')) }]
      : []),
    ...(list?.accounts ?? []).flatMap((account) => {
      const label = accountName(account, i18n);
      return [
        { id: `use.${account.id}`, group, words: t('accounts.onlyThis', { label }), run: () => use(account.id, t('accounts.onlyNow', { label })) },
        { id: name(account.id), group, words: t('account.detailsOf', { label }), more: account.email ?? '', run: () => show(account.id) },
      ];
    }),
  ];
}

/** Settings with a few choices are set here; the others are shown on their page. */
function settings({ i18n, queries, router, toasts }: Session): Command[] {
  const editor = new SettingsEditor(queries);
  const group = i18n.t('nav.settings');
  const choices = ({ path, control }: Field): Command[] => {
    if (control.kind !== 'choice' || editor.override(path)) return [];
    const others = control.options.filter((option) => option !== editor.value(path));
    return others.map((option) => ({
      id: `set.${path}.${option}`,
      group,
      words: i18n.t('commands.set', { label: settingLabel(i18n, path), value: valueWords(i18n, path, option) }),
      run: async () => {
        if (await editor.save(path, option)) toasts.say(i18n.t('save.saved'));
        else if (editor.error) throw editor.error;
      },
    }));
  };
  return allFields().flatMap((field) => [
    {
      id: `setting.${field.path}`,
      group,
      words: settingLabel(i18n, field.path),
      more: settingHelp(i18n, field.path) ?? '',
      run: () => router.go('settings', field.path),
    },
    ...choices(field),
  ]);
}

function window({ i18n: { t }, overlay, queries }: Session): Command[] {
  return [
    { id: 'again', words: t('shortcuts.again'), keys: 'F5', run: () => queries.refreshAll() },
    { id: 'keys', words: t('shortcuts.title'), keys: '?', run: () => overlay.show('keys') },
  ];
}
