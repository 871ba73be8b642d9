/** Where the API is, and how a question is written into its address. */

/** Where an API listens, and the token it wants. */
export interface Endpoint {
  /** Of the server, when it is of this machine; null: it is elsewhere. */
  dataDir: string | null;
  /** Such as `http://127.0.0.1:7420`. */
  url: string;
  token: string;
  /** Of the authority behind its certificate, PEM; without it, those that Node believes. */
  ca?: string;
}

/** A server elsewhere, as the command line or the environment names it. */
export interface Remote {
  server: string;
  ca?: string | undefined;
  apiTokenFile?: string | undefined;
}

/** Values by name; what is undefined is not said. */
export type Texts = Record<string, string | number | undefined>;

/** `?a=1&b=2`, or nothing. */
export function queryText(query: Texts = {}): string {
  const said = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return said.length > 0 ? `?${new URLSearchParams(said)}` : '';
}
