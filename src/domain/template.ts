/** Sentences with gaps: `{name}` is filled from the parameters; a gap without a parameter stays as it is. */
export const fillTemplate = (template: string, params: Readonly<Record<string, string | number>>): string =>
  template.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));

/** `1 shard`, `2 shards`; `1 copy`, `2 copies` where the plural is said. */
export const counted = (count: number, thing: string, things = `${thing}s`): string =>
  `${count} ${count === 1 ? thing : things}`;
