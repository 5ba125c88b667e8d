// Files chosen for an import, sorted into accounts and the files that belong to them. Kiro keeps the registration of an
// Identity Center client beside the token file, so such a file alone is no account.
import type { ImportRequest } from './api/client';

export interface ChosenFile {
  name: string;
  content: string;
}

function isCompanion(file: ChosenFile): boolean {
  try {
    const value: unknown = JSON.parse(file.content);
    return typeof value === 'object' && value !== null && 'clientSecret' in value && !('refreshToken' in value);
  } catch {
    return false;
  }
}

/** One import per account file, each with all companions. When nothing looks like an account, every file is tried. */
export function importsOf(files: readonly ChosenFile[]): ImportRequest[] {
  const companions = files.filter(isCompanion);
  const accounts = files.filter((file) => !companions.includes(file));
  if (accounts.length === 0) return files.map(({ content }) => ({ content }));
  return accounts.map(({ content }) => (companions.length > 0 ? { content, companions } : { content }));
}
