/** The archive of a database: its append-only log as it grows, kept so that any moment can be restored. */

/** Whole seconds since the epoch; both ends are in it. */
export interface Span {
  from: number;
  to: number;
}

/** How often logs are fetched when nobody says it, in seconds. */
export const ARCHIVE_EVERY_SECONDS = 30;

/** An archive as it is told of. */
export interface ArchiveStatus {
  database: string;
  databaseUid: string;
  place: string;
  /** `off`: nothing is added any more. What is there can still be restored. */
  state: 'on' | 'off';
  everySeconds: number;
  /** What is older is removed; null: nothing is. */
  keepDays: number | null;
  encrypted: boolean;
  /** ISO times: the moments that can be restored, the earliest first. */
  window: readonly { from: string; to: string }[];
  /** Why it does not go on; null: it does, or is off. */
  problem: string | null;
}

/** What is known of the archive of a database while it is on. */
export interface ArchiveView {
  place: string;
  everySeconds: number;
  /** The last stretch of moments that can be restored; null while there is none. */
  span: Span | null;
  /** Milliseconds since the epoch: up to when everything was fetched last, or when it was begun with. */
  fetchedAt: number;
  problem: string | null;
}

/** As the API tells a moment. */
export const momentOf = (seconds: number): string => new Date(seconds * 1_000).toISOString();
