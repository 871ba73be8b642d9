/**
 * Calls `onExpired` once `timeoutMs` have passed, and the sockets were read once more: when this process itself was
 * held up, the answer may lie there already, and the other side is not to blame.
 * @returns what ends the wait; nothing is left behind then
 */
export function startDeadline(timeoutMs: number, onExpired: () => void): () => void {
  let afterReading: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    afterReading = setImmediate(onExpired);
  }, timeoutMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(afterReading);
  };
}
