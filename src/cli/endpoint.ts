/** Where the API is, and how a question is written into its address. */

/** Where the API of a data directory listens, and the token it wants. */
export interface Endpoint {
  dataDir: string;
  /** Such as `http://127.0.0.1:7420`. */
  url: string;
  token: string;
}

/** Values by name; what is undefined is not said. */
export type Texts = Record<string, string | number | undefined>;

/** `?a=1&b=2`, or nothing. */
export function queryText(query: Texts = {}): string {
  const said = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return said.length > 0 ? `?${new URLSearchParams(said)}` : '';
}
