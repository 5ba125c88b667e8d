// What the pages need from the program they are shown in. Everything else they get from the admin API.

/** A request to the admin API. Paths start with `/api/`. */
export interface HostRequest {
  method?: string;
  /** JSON text. */
  body?: string;
  /** Aborting it stops the answer on the gateway's side too. */
  signal?: AbortSignal;
}

/** The window of the desktop app, or a browser. */
export interface Host {
  readonly kind: 'desktop' | 'browser';
  /** Resolves when the head of the answer is there; the body may stream on for hours. Rejects when nobody answers. */
  fetch(path: string, request?: HostRequest): Promise<Response>;
  /** Puts text on the clipboard. */
  copy(text: string): Promise<void>;
  /**
   * Keeps text as a file where the person wants it. `saved` and `cancelled` are theirs; `unsupported` means that this
   * program has no way to save files.
   */
  save(fileName: string, content: string): Promise<'saved' | 'cancelled' | 'unsupported'>;
}

/** Picks the host this page runs in. Tauri's code is loaded only inside Tauri. */
export async function detectHost(): Promise<Host> {
  if ('__TAURI_INTERNALS__' in globalThis) return (await import('./host.tauri')).tauriHost();
  return (await import('./host.browser')).browserHost();
}
