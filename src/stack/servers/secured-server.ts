import type { TlsFiles } from "../../base/tls-files.ts";

/**
 * A server that is started to speak TLS only, and to let in only clients with a certificate of its authority. `npm start` starts none such:
 * its servers listen on loopback; tests do, to stand for the servers of others.
 */
export interface SecuredServer {
  /** The server's own certificate and key, and the authority of its clients. */
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string };
  /** As what the start itself asks whether the server is up. */
  readonly client: TlsFiles;
  /** More settings of the server, by their names. */
  readonly settings?: Readonly<Record<string, string>>;
}
