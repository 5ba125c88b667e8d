// The key of a sealed vault as a person gives it: where it comes from, and what belongs to that.
import type { VaultNewKey } from './api/client';

/** In the order in which they are offered. */
export const KEY_SOURCES = ['passphrase', 'keyFile', 'environment', 'systemdCredential', 'autoKeyFile'] as const satisfies VaultNewKey['source'][];
export type KeySource = (typeof KEY_SOURCES)[number];

/** Characters; the gateway takes no shorter passphrase. */
export const SHORTEST = 12;

export class VaultKeyDraft {
  source: KeySource = $state('passphrase');
  passphrase = $state('');
  again = $state('');
  keyFile = $state('');
  key = $state('');
  /** Whether a second passphrase opens the vault as well, should the key be lost. */
  recovers = $state(false);
  recovery = $state('');
  recoveryAgain = $state('');

  get complete(): boolean {
    const recovered = !this.recovers || (this.recovery.length >= SHORTEST && this.recovery === this.recoveryAgain);
    return recovered && this.#sourceComplete();
  }

  #sourceComplete(): boolean {
    switch (this.source) {
      case 'passphrase':
        return this.passphrase.length >= SHORTEST && this.passphrase === this.again;
      case 'keyFile':
      case 'systemdCredential':
        return this.keyFile.trim() !== '';
      case 'environment':
        return this.key.trim() !== '';
      case 'autoKeyFile':
        return true;
    }
  }

  body(): VaultNewKey {
    const recovery = this.recovers ? { recoveryPassphrase: this.recovery } : {};
    const { source } = this;
    switch (source) {
      case 'passphrase':
        return { source, passphrase: this.passphrase, ...recovery };
      case 'keyFile':
      case 'systemdCredential':
        return { source, keyFile: this.keyFile.trim(), ...recovery };
      case 'environment':
        return { source, key: this.key.trim(), ...recovery };
      case 'autoKeyFile':
        return { source, ...recovery };
    }
  }

  /** Nothing secret stays on the screen. */
  clear(): void {
    this.passphrase = this.again = this.key = this.recovery = this.recoveryAgain = '';
  }
}
