/** What connections and clients must know of a database whose writes are answered once replicas have them. */
export interface Acknowledging {
  /** Replicas that must have a write before it is answered; 0: none. */
  readonly count: number;
  /** WAIT for so many of them, within a limit of time. */
  readonly command: Buffer;
  /** Whether so many replicas of this primary acknowledge, as far as is known; when not, it is being found out. */
  isOpen(node: number): boolean;
  /** It is no longer known. */
  shut(node: number): void;
  /** Waits until replicas have all that this primary has written until now. @returns whether they had it in time */
  reached(node: number): Promise<boolean>;
  /** The same of a primary that is none any more: by its successor, if that took over with everything it had written. */
  reachedBySuccessor(node: number): Promise<boolean>;
}
