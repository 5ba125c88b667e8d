// The whole app on a fake host, and the few things that every test of a page does.
import { fireEvent, render, screen } from '@testing-library/svelte';
import App from '../src/App.svelte';
import { Session } from '../src/session';
import type { FakeHost } from './fake-host';

export async function openApp(host: FakeHost, page = 'home'): Promise<Session> {
  location.hash = `#/${page}`;
  const session = new Session(host);
  render(App, { session });
  await by('nav-home');
  return session;
}

export const by = (id: string): Promise<HTMLElement> => screen.findByTestId(id);
export const none = (id: string): boolean => screen.queryByTestId(id) === null;
export const click = async (id: string) => fireEvent.click(await by(id));
export const type = async (id: string, value: string) => fireEvent.input(await by(id), { target: { value } });
export const choose = async (id: string, value: string) => fireEvent.change(await by(id), { target: { value } });
export const rows = () => screen.getAllByTestId('account-row').map((row) => row.dataset['id']);
