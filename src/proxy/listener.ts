import type { Session } from './session.ts';

/** A client that can be told of something that it did not ask for. */
export interface Listener {
  readonly session: Session;
  readonly isClosed: boolean;
  push(bytes: Buffer, from: number, to: number): void;
}
