/** Reads TypeScript as text, well enough to lint the house: what is code, what is comment, what is imported. */

/** A file of the project: its path from the root, with forward slashes, and its text. */
export interface SourceFile {
  path: string;
  text: string;
}

/** One import or re-export. */
export interface Import {
  /** As written: `./slots.ts`, `node:fs`, `zod`. */
  specifier: string;
  line: number;
  /** For a relative import the file meant, from the root; null for a package. */
  target: string | null;
}

/** Characters after which a slash begins a regular expression, not a division. */
const BEFORE_REGEX = /(?:[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of))\s*$/;

/**
 * The text with comments blanked, and with `blankStrings` also what is inside strings, templates and regular
 * expressions; code inside `${}` stays. Every line keeps its number.
 */
export function codeOf(text: string, blankStrings: boolean): string {
  let out = '';
  let at = 0;
  const blank = (part: string) => part.replace(/[^\n]/g, ' ');
  const take = (length: number, keep: boolean) => {
    const part = text.slice(at, at + length);
    out += keep ? part : blank(part);
    at += length;
  };
  const lengthOf = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0].length ?? text.length - at;
  };

  /** Up to the brace that closes the present `${}`, or to the end of the file. */
  const code = (insideTemplate: boolean): void => {
    let depth = 0;
    while (at < text.length) {
      const two = text.slice(at, at + 2);
      const one = two[0]!;
      if (two === '//') take(lengthOf(/[^\n]*/y), false);
      else if (two === '/*') take(lengthOf(/\/\*[\s\S]*?\*\//y), false);
      else if (one === "'" || one === '"') take(lengthOf(/(['"])(?:\\.|(?!\1)[^\\\n])*\1?/y), !blankStrings);
      else if (one === '`') template();
      else if (one === '/' && BEFORE_REGEX.test(out.slice(-20) || '(')) {
        take(lengthOf(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/\w*|\//y), !blankStrings);
      } else {
        if (one === '{') depth += 1;
        if (one === '}' && depth === 0 && insideTemplate) return;
        if (one === '}') depth -= 1;
        take(1, true);
      }
    }
  };
  const template = (): void => {
    take(1, true);
    while (at < text.length && text[at] !== '`') {
      if (text.startsWith('${', at)) {
        take(2, true);
        code(true);
        take(1, true);
      } else take(text[at] === '\\' ? 2 : 1, !blankStrings);
    }
    take(1, true);
  };
  code(false);
  return out;
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;

/** Every import, re-export and `import()` of a literal in the file. */
export function importsOf(file: SourceFile): Import[] {
  const code = codeOf(file.text, false);
  const withoutStrings = codeOf(file.text, true);
  return [...code.matchAll(IMPORT)]
    .filter((match) => withoutStrings[match.index] === code[match.index]) // an import quoted in a string is none
    .map((match) => ({
      specifier: match[2]!,
      line: lineAt(code, match.index),
      target: match[2]!.startsWith('.') ? resolveFrom(file.path, match[2]!) : null,
    }));
}

/** The line number, from 1, of a position in a text. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** `a/b/c.ts` + `../d.ts` -> `a/d.ts` */
function resolveFrom(path: string, specifier: string): string {
  const parts = path.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}
