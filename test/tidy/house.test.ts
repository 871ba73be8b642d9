/** The house's rules over the whole tree; each rule is first shown to fail on an example that breaks it. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as rules from './rules.ts';
import { codeOf, importsOf, type SourceFile } from './source-text.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const tree: SourceFile[] = globSync('{src,scripts,test,bench,examples}/**/*.ts', { cwd: ROOT })
  .sort()
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

const files = (contents: Record<string, string>): SourceFile[] =>
  Object.entries(contents).map(([path, text]) => ({ path, text }));

interface Example {
  keeps: Record<string, string>;
  breaks: Record<string, string>;
  /** What the rule says about the second. */
  said: string[];
}

const EXAMPLES: Record<keyof typeof rules, Example> = {
  importDirections: {
    keeps: {
      'src/plan/plan.ts': "import { slot } from '../domain/slots.ts';",
      'src/plan/plan.test.ts': "import { world } from '../../test/support/worlds.ts';",
      'src/api/server.ts': "import type { ControlPlane } from '../control/control-plane.ts';",
      'src/main/valkeeper.ts': "import { up } from '../agent/agent.ts';",
      'scripts/docs.ts': "import { ERRORS } from '../src/domain/errors.ts';",
    },
    breaks: {
      'src/domain/slots.ts': "import { plan } from '../plan/plan.ts';",
      'src/agent/agent.ts': "\nexport { executor } from '../control/executor.ts';",
      'src/api/server.ts': "const x = await import('../control/executor.ts');",
      'src/store/store.ts': "import { world } from '../../test/support/worlds.ts';",
      'src/misc/thing.ts': '',
    },
    said: [
      'src/domain/slots.ts:1: domain may not import src/plan/plan.ts',
      'src/agent/agent.ts:2: agent may not import src/control/executor.ts',
      'src/api/server.ts:1: api may not import src/control/executor.ts',
      'src/store/store.ts:1: store may not import test/support/worlds.ts',
      'src/misc/thing.ts:1: the folder src/misc has no place in the layers',
    ],
  },
  noImportCycles: {
    keeps: {
      'src/a/top.ts': "import './left.ts'; import './right.ts';",
      'src/a/left.ts': "import './base.ts';",
      'src/a/right.ts': "import './base.ts';",
      'src/a/base.ts': '',
    },
    breaks: {
      'src/a/one.ts': "import type { Two } from './two.ts';",
      'src/a/two.ts': "export * from './three.ts';",
      'src/a/three.ts': "import './two.ts';",
    },
    said: ['src/a/two.ts:1: imports itself: src/a/two.ts -> src/a/three.ts -> src/a/two.ts'],
  },
  pureFolders: {
    keeps: {
      'src/plan/plan.ts':
        "const said = 'process.exit, Date.now()'; // Math.random\nconst at = new Date(now), is = node.process.state;",
      'src/plan/plan.test.ts': "import { it } from 'node:test'; Date.now();",
      'src/agent/agent.ts': "import { spawn } from 'node:child_process'; Date.now();",
    },
    breaks: {
      'src/domain/a.ts': "import { readFileSync } from 'node:fs';",
      'src/plan/b.ts': 'const at = Date.now();\nconst seed = Math.random();',
      'src/resp/c.ts':
        'const text = `at $' + '{new Date()}`; setTimeout(f, 1); process.exit(); console.log(performance.now());',
    },
    said: [
      'src/domain/a.ts:1: must be pure, imports node:fs',
      'src/plan/b.ts:1: must be pure, uses Date.now',
      'src/plan/b.ts:2: must be pure, uses Math.random',
      'src/resp/c.ts:1: must be pure, uses new Date()',
      'src/resp/c.ts:1: must be pure, uses setTimeout',
      'src/resp/c.ts:1: must be pure, uses process.',
      'src/resp/c.ts:1: must be pure, uses console.',
      'src/resp/c.ts:1: must be pure, uses performance.',
    ],
  },
  noLeftOvers: {
    keeps: { 'src/a/a.ts': 'const skipped = list.slice(1); // nothing to do' },
    breaks: {
      'src/a/a.ts': `// ${['TO', 'DO'].join('')}: later`,
      'test/a.test.ts': `it${['.on', 'ly('].join('')}'x', f);\n// ${['@ts-ig', 'nore'].join('')}`,
    },
    said: [
      `src/a/a.ts:1: left over: ${['TO', 'DO'].join('')}`,
      `test/a.test.ts:1: left over: ${['.on', 'ly('].join('')}`,
      `test/a.test.ts:2: left over: ${['@ts-ig', 'nore'].join('')}`,
    ],
  },
  importsResolve: {
    keeps: {
      'src/a/a.ts': "import './b.ts'; import 'zod'; import '../../test/c.ts';",
      'src/a/b.ts': '',
      'test/c.ts': '',
    },
    breaks: { 'src/a/a.ts': "import './b';\nimport './away.ts';", 'src/a/b.ts': '' },
    said: ['src/a/a.ts:1: ./b does not end in .ts', 'src/a/a.ts:2: ./away.ts does not exist'],
  },
  smallFiles: {
    keeps: { 'src/a/a.ts': 'x;\n'.repeat(400), 'test/long.ts': 'x;\n'.repeat(401) },
    breaks: { 'src/a/a.ts': 'x;\n'.repeat(401) },
    said: ['src/a/a.ts:400: 401 lines, at most 400'],
  },
  docstrings: {
    keeps: {
      'src/a/a.ts':
        '/** Adds. */\nexport function add() {}\nfunction own() {}\nexport const LIMIT = 5;\nexport const LIST = [() => 1];',
      'test/a.ts': 'export function helper() {}',
    },
    breaks: {
      'src/a/a.ts':
        'export async function add() {}\n// Not a docstring.\nexport const sub = (a: number, b: number): number => a - b;',
    },
    said: ['src/a/a.ts:1: add has no docstring', 'src/a/a.ts:3: sub has no docstring'],
  },
};

for (const [name, rule] of Object.entries(rules)) {
  const example = EXAMPLES[name as keyof typeof rules];
  describe(name, () => {
    it('accepts what keeps it', () => assert.deepEqual(rule(files(example.keeps)), []));
    it('names what breaks it', () => assert.deepEqual(rule(files(example.breaks)), example.said));
    it('holds in this tree', () => {
      const broken = rule(tree);
      assert.ok(broken.length === 0, broken.join('\n'));
    });
  });
}

describe('reading source text', () => {
  it('sees the tree', () => assert.ok(tree.some((file) => file.path === 'src/domain/errors.ts')));

  it('blanks comments and strings, and keeps code in templates and line numbers', () => {
    const text = "a; // b\n/* c\nc */ d('e\\'f', `g #{h(`i #{j}`)} k`) / l; m(/n'[/]o/g); p / q / r;".replaceAll(
      '#',
      '$',
    );
    const code = codeOf(text, true);
    assert.equal(code.length, text.length);
    assert.deepEqual(code.match(/\w/g), ['a', 'd', 'h', 'j', 'l', 'm', 'p', 'q', 'r']);
    assert.equal(code.split('\n').length, 3);
  });

  it('keeps strings where they are wanted', () => {
    assert.equal(codeOf("x('http://a'); // y", false).trimEnd(), "x('http://a');");
  });

  it('finds every form of import, and none in a comment', () => {
    const text = `import a from 'a';\nimport {\n  b,\n} from "./b.ts";\nexport * from '../c.ts';\nimport './d.ts';\nawait import('./e.ts'); // from './f.ts'\nx("from './g.ts'");`;
    assert.deepEqual(
      importsOf({ path: 'src/x/y.ts', text }).map((one) => [one.specifier, one.line, one.target]),
      [
        ['a', 1, null],
        ['./b.ts', 4, 'src/x/b.ts'],
        ['../c.ts', 5, 'src/c.ts'],
        ['./d.ts', 6, 'src/x/d.ts'],
        ['./e.ts', 7, 'src/x/e.ts'],
      ],
    );
  });
});
