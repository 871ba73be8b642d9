/** What is made of a list or a record once and asked of it at every look, for every node. */

/** `make`, called once for each object and kept as long as that is. The object must not change: another takes its place. */
export function keptFor<K extends object, V extends object>(make: (from: K) => V): (from: K) => V {
  const kept = new WeakMap<K, V>();
  return (from) => {
    let made = kept.get(from);
    if (made === undefined) {
      made = make(from);
      kept.set(from, made);
    }
    return made;
  };
}
