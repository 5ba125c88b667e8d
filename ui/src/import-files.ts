// Files chosen for an import, sorted into accounts and the files that belong to them. Kiro keeps the registration of an
// Identity Center client beside the token file, and other programs keep a list that only names their token files.
import type { ImportRequest } from './api/client';

export interface ChosenFile {
  name: string;
  content: string;
}

function isRegistration(file: ChosenFile): boolean {
  try {
    const value: unknown = JSON.parse(file.content);
    return typeof value === 'object' && value !== null && 'clientSecret' in value && !('refreshToken' in value);
  } catch {
    return false;
  }
}

/** Whether a file points to another one, by its name at the end of a path. */
function names(file: ChosenFile, other: ChosenFile): boolean {
  const name = other.name.split(/[/\\]/).at(-1) ?? other.name;
  return file !== other && new RegExp(`(^|[/\\\\"'=\\s])${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(["'\\s]|$)`).test(file.content);
}

/**
 * One import per account file, each with all registrations and with the files that it names, which are no imports of their
 * own then. When nothing looks like an account, every file is tried.
 */
export function importsOf(files: readonly ChosenFile[]): ImportRequest[] {
  const registrations = files.filter(isRegistration);
  const others = files.filter((file) => !registrations.includes(file));
  const named = others.filter((file) => others.some((other) => names(other, file) && !names(file, other)));
  const accounts = others.filter((file) => !named.includes(file));
  if (accounts.length === 0) return files.map(({ content }) => ({ content }));
  return accounts.map((file) => {
    const companions = [...registrations, ...named.filter((other) => names(file, other))];
    return companions.length > 0 ? { content: file.content, companions } : { content: file.content };
  });
}
