/** INFO of several nodes made one: figures are added up, and what cannot be added is what the first of them says. */

/** Lines of a section by their names. */
type Section = Map<string, string>;

/** By the title behind `# `. */
export type Info = Map<string, Section>;

/** Reads what INFO says. */
export function parseInfo(text: string): Info {
  const info: Info = new Map();
  let section: Section = new Map();
  for (const line of text.split('\r\n')) {
    if (line.startsWith('# ')) {
      section = new Map();
      info.set(line.slice(2), section);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon > 0) section.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return info;
}

/** As the engine writes it. */
export const formatInfo = (info: Info): string =>
  [...info]
    .map(([title, section]) =>
      [`# ${title}`, ...[...section].map(([name, value]) => `${name}:${value}`), ''].join('\r\n'),
    )
    .join('\r\n');

/** Sections that are about one process, or the same everywhere: nothing in them is added. */
const NOT_ADDED = new Set(['Server', 'Cluster', 'Modules', 'TLS']);
/** The largest counts: states that are 0 or 1, and moments. */
const LARGEST =
  /^(loading|async_loading|.*_in_progress|.*_enabled|.*_scheduled|.*_active|active_defrag_running|total_system_memory|latest_fork_usec|.*_time_sec|current_cow_size_age|pubsub_patterns|number_of_(libraries|functions)|engines_count|paused_timeout_milliseconds|number_of_cached_scripts|tracking_total_prefixes|maxclients|repl_backlog_size)$/;
const SMALLEST = /^(rdb_last_save_time|second_repl_offset)$/;
const AVERAGE = /(_perc|_ratio)$/;
const INTEGER = /^-?\d+$/;
const DECIMAL = /^-?\d+\.(\d+)$/;

/** One INFO for those of several nodes. */
export function mergeInfo(infos: readonly Info[]): Info {
  const merged: Info = new Map();
  for (const title of new Set(infos.flatMap((info) => [...info.keys()]))) {
    const sections = infos.flatMap((info) => info.get(title) ?? []);
    const names = new Set(sections.flatMap((section) => [...section.keys()]));
    const one: Section = new Map();
    for (const name of names) {
      const values = sections.flatMap((section) => section.get(name) ?? []);
      one.set(name, NOT_ADDED.has(title) ? values[0]! : mergeValues(name, values));
    }
    merged.set(title, one);
  }
  const memory = merged.get('Memory');
  if (memory) derive(memory);
  return merged;
}

function mergeValues(name: string, values: readonly string[]): string {
  const [first] = values;
  if (values.length === 1) return first!;
  if (values.every((value) => INTEGER.test(value))) {
    const numbers = values.map(Number);
    if (LARGEST.test(name)) return String(Math.max(...numbers));
    if (SMALLEST.test(name)) return String(Math.min(...numbers));
    return String(sum(numbers));
  }
  const decimals = DECIMAL.exec(first!.replace(/%$/, ''))?.[1]?.length;
  if (decimals !== undefined) {
    const numbers = values.map((value) => Number.parseFloat(value));
    const total = AVERAGE.test(name) ? sum(numbers) / numbers.length : sum(numbers);
    return `${total.toFixed(decimals)}${first!.endsWith('%') ? '%' : ''}`;
  }
  if (/^\w+=[^,]*(,|$)/.test(first!)) return mergeFields(name, values);
  return values.find((value) => value === 'err') ?? first!;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** `calls=1,usec=2,...` */
function mergeFields(name: string, values: readonly string[]): string {
  const all = values.map((value) => new Map(value.split(',').map((field) => splitAt(field, '='))));
  const total = (field: string): number => sum(all.map((fields) => Number(fields.get(field) ?? 0)));
  const one = [...all[0]!.keys()].map((field) => {
    const present = all.map((fields) => fields.get(field) ?? '0');
    if (!present.every((value) => Number.isFinite(Number(value)))) return [field, present[0]!];
    if (field === 'usec_per_call') return [field, (total('usec') / Math.max(1, total('calls'))).toFixed(2)];
    if (field === 'avg_ttl') return [field, String(averageTtl(all))];
    if (/^p\d/.test(field)) return [field, present.reduce((one, other) => (Number(other) > Number(one) ? other : one))];
    return [field, String(total(field))];
  });
  return name.startsWith('slave') ? values[0]! : one.map(([field, value]) => `${field}=${value}`).join(',');
}

/** By how many keys of each expire. */
function averageTtl(all: readonly Map<string, string>[]): number {
  const weights = all.map((fields) => Number(fields.get('expires') ?? 0));
  const weighted = all.map((fields, index) => Number(fields.get('avg_ttl') ?? 0) * weights[index]!);
  return Math.round(sum(weighted) / Math.max(1, sum(weights)));
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** What follows from other lines: sizes for people, and ratios. */
function derive(memory: Section): void {
  const number = (name: string): number => Number(memory.get(name) ?? 0);
  const setRatio = (name: string, part: number, whole: number): void => {
    if (memory.has(name)) memory.set(name, (whole > 0 ? part / whole : 0).toFixed(2));
  };
  const setPercent = (name: string, part: number, whole: number): void => {
    if (memory.has(name)) memory.set(name, `${(whole > 0 ? (part / whole) * 100 : 0).toFixed(2)}%`);
  };
  for (const name of memory.keys()) {
    const base = name.endsWith('_human') ? name.slice(0, -'_human'.length) : '';
    const bytes = base === 'used_memory_lua' ? number('used_memory_lua') : number(base);
    if (base !== '' && memory.has(base)) memory.set(name, humanBytes(bytes));
  }
  setPercent('used_memory_peak_perc', number('used_memory'), number('used_memory_peak'));
  const dataset = number('used_memory') - number('used_memory_startup');
  setPercent('used_memory_dataset_perc', number('used_memory_dataset'), dataset);
  setRatio('allocator_frag_ratio', number('allocator_active'), number('allocator_allocated'));
  setRatio('allocator_rss_ratio', number('allocator_resident'), number('allocator_active'));
  setRatio('rss_overhead_ratio', number('used_memory_rss'), number('allocator_resident'));
  setRatio('mem_fragmentation_ratio', number('used_memory_rss'), number('used_memory'));
}

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'];

/** As the engine writes sizes: `1.50M`. */
function humanBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${UNITS[unit]}`;
}
