/** The house's rules. Each is a pure function from the files to what breaks it: `path:line: what is wrong`. */
import { codeOf, importsOf, lineAt, type SourceFile } from './source-text.ts';

type Rule = (files: readonly SourceFile[]) => string[];

const WORDS = ['domain', 'resp'];
const PURE = [...WORDS, 'plan', 'quorum', 'protocol'];
const TOOLS = [...PURE, 'platform'];
const DEVICES = [...TOOLS, 'trust', 'valkey', 'store', 'backup', 'engine'];

/** Who may import whom, by folder of src. A new folder takes its place here first. A path names a single file. */
const MAY_IMPORT: Record<string, readonly string[] | 'everything'> = {
  domain: [],
  resp: [],
  plan: ['domain'],
  quorum: ['domain'],
  protocol: ['domain'],
  platform: PURE,
  trust: ['domain'],
  valkey: [...TOOLS, 'trust'],
  store: TOOLS,
  backup: TOOLS,
  engine: ['domain', 'platform'],
  doctor: ['domain', 'platform', 'trust'],
  control: DEVICES,
  agent: [...DEVICES, 'quorum'],
  proxy: DEVICES,
  api: [...TOOLS, 'src/control/control-plane.ts'],
  cli: ['domain', 'protocol', 'platform', 'src/valkey/rdb-checksum.ts'],
  demo: ['domain', 'protocol', 'platform', 'resp', 'valkey'],
  main: 'everything',
};

const isTest = (path: string): boolean => path.endsWith('.test.ts');
const folderOf = (path: string): string | null => /^src\/([^/]+)\//.exec(path)?.[1] ?? null;

/** Imports between the folders of src follow the design; only tests import what is outside src. */
export const importDirections: Rule = (files) =>
  files.flatMap((file) => {
    const folder = folderOf(file.path);
    if (folder === null) return [];
    const allowed = MAY_IMPORT[folder];
    if (allowed === undefined) return [`${file.path}:1: the folder src/${folder} has no place in the layers`];
    return importsOf(file).flatMap(({ target, line }) => {
      if (target === null || folderOf(target) === folder) return [];
      const to = folderOf(target);
      const fine =
        to === null ? isTest(file.path) : allowed === 'everything' || allowed.includes(to) || allowed.includes(target);
      return fine ? [] : [`${file.path}:${line}: ${folder} may not import ${target}`];
    });
  });

/** No file imports itself through others. */
export const noImportCycles: Rule = (files) => {
  const targets = new Map(files.map((file) => [file.path, importsOf(file).flatMap(({ target }) => target ?? [])]));
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push(`${path}:1: imports itself: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`);
      return;
    }
    if (finished.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path]);
    finished.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  return found;
};

/**
 * What would make an answer depend on more than its arguments. A given moment may be formatted
 * (`new Date(now)`), and `process.state` is a node's process in a view.
 */
const IMPURE =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|(?<![.\w])(?:process\.(?!state)|performance\.|crypto\.|console\.)|\bfetch\(/g;

/** domain, plan and resp have no clock, chance, timer, process, file, socket or logger, and no library. */
export const pureFolders: Rule = (files) =>
  files
    .filter((file) => /^src\/(domain|plan|resp)\//.test(file.path) && !isTest(file.path))
    .flatMap((file) => {
      const code = codeOf(file.text, true);
      const packages = importsOf(file).filter((one) => one.target === null);
      return [
        ...packages.map((one) => `${file.path}:${one.line}: must be pure, imports ${one.specifier}`),
        ...[...code.matchAll(IMPURE)].map((m) => `${file.path}:${lineAt(code, m.index)}: must be pure, uses ${m[0]}`),
      ];
    });

/** The brackets keep these words from finding themselves. */
const LEFT_OVER = /\b(?:TO[D]O|FIX[M]E|X[X]X)\b|\.(?:ski[p]|onl[y]|tod[o])\(|@ts-(?:ignor[e]|nochec[k])/g;

/** Nothing is postponed, skipped or silenced. */
export const noLeftOvers: Rule = (files) =>
  files.flatMap((file) =>
    [...file.text.matchAll(LEFT_OVER)].map((m) => `${file.path}:${lineAt(file.text, m.index)}: left over: ${m[0]}`),
  );

/** A relative import names a file that exists, with its ending: Node runs the sources as they are. */
export const importsResolve: Rule = (files) => {
  const paths = new Set(files.map((file) => file.path));
  return files.flatMap((file) =>
    importsOf(file).flatMap(({ specifier, line, target }) => {
      if (target === null) return [];
      if (!target.endsWith('.ts')) return [`${file.path}:${line}: ${specifier} does not end in .ts`];
      return paths.has(target) ? [] : [`${file.path}:${line}: ${specifier} does not exist`];
    }),
  );
};

const MAX_LINES = 400;

/** A file of src can be read in one sitting. */
export const smallFiles: Rule = (files) =>
  files
    .filter((file) => folderOf(file.path) !== null)
    .map((file) => ({ path: file.path, lines: file.text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path}:${MAX_LINES}: ${lines} lines, at most ${MAX_LINES}`);

const EXPORTED_FUNCTION =
  /^export (?:default )?(?:(?:async )?function\*? ?(\w*)|const (\w+)[^=;]*= (?:async )?(?:<[^>]*>)?\([^;{]*=>)/gm;

/** Every exported function of src says what it does. */
export const docstrings: Rule = (files) =>
  files
    .filter((file) => folderOf(file.path) !== null && !isTest(file.path))
    .flatMap((file) =>
      [...file.text.matchAll(EXPORTED_FUNCTION)]
        .filter((match) => !file.text.slice(0, match.index).trimEnd().endsWith('*/'))
        .map((match) => `${file.path}:${lineAt(file.text, match.index)}: ${match[1] || match[2]} has no docstring`),
    );
