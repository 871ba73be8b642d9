/** Exceptions that nobody catches, where a test is about them. */

/** Takes them away from the test runner until the returned function is called. */
export function catchUncaught(listener: (error: Error) => void): () => void {
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', listener);
  return () => {
    process.off('uncaughtException', listener);
    for (const other of others) process.on('uncaughtException', other);
  };
}
