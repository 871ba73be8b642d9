/** A small world for the engine's build: a PATH with stand-in compilers, a source archive, a server handing it out. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Archive } from '../../src/engine/archive.ts';
import type { Env } from '../../src/engine/engine.ts';
import { findOnPath } from '../../src/engine/search-path.ts';

/** A shell script that answers `--version` like a `valkey-server`, and else pretends to serve until it is killed. */
export const fakeServer = (version: string): string =>
  `#!/bin/sh
if [ "$1" = --version ]; then echo "Valkey server v=${version} sha=00000000:0 malloc=libc bits=64 build=0"; exit 0; fi
touch check.sock
exec sleep 60
`;

/** A `valkey-cli` that answers every command with this line. */
export const fakeClient = (answer: string): string => `#!/bin/sh\necho '${answer}'\n`;

/** A `make` that "compiles" the given programs; it counts its runs in `<tools>/runs`. */
export const workingMake = (server: string, client: string): string =>
  `#!/bin/sh
echo run >> "\${0%/*}/runs"
printf '    CC one.o\\n    CC two.o\\n'
cat > src/valkey-server <<'SERVER'
${server}SERVER
cat > src/valkey-cli <<'CLIENT'
${client}CLIENT
chmod 755 src/valkey-server src/valkey-cli
`;

/** A `make` that never ends; it chats like a compiler and writes its process id to `<tools>/make.pid`. */
export const endlessMake = `#!/bin/sh
echo $$ > "\${0%/*}/make.pid"
while :; do echo '    CC again.o'; sleep 0.05; done
`;

/** A `make` that waits for a silent child; the process ids go to `<tools>/make.pid` and `<tools>/compiler.pid`. */
export const hangingMake = `#!/bin/sh
sleep 60 &
echo $! > "\${0%/*}/compiler.pid"
echo $$ > "\${0%/*}/make.pid"
wait
`;

/** Writes an executable script. */
export function writeScript(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

export interface ToolWorld {
  toolsDir: string;
  cacheDir: string;
  env: Env;
  archive: Archive;
  /** How often the archive was asked for. */
  requests(): number;
  setTool(name: string, script: string): void;
  removeTool(name: string): void;
  close(): void;
}

/** Sets the world up in a temporary folder, with a working `make` for version 9.1.2. No apt-get is on its PATH. */
export async function startToolWorld(): Promise<ToolWorld> {
  const root = mkdtempSync(join(tmpdir(), 'valkeeper-tools-'));
  const toolsDir = join(root, 'bin');
  mkdirSync(toolsDir);
  for (const name of ['tar', 'gzip', 'cat', 'sleep', 'touch', 'chmod']) {
    symlinkSync(findOnPath(name, process.env)[0]!, join(toolsDir, name));
  }
  const setTool = (name: string, script: string) => writeScript(join(toolsDir, name), script);
  for (const name of ['gcc', 'strip', 'pkg-config']) setTool(name, '#!/bin/sh\nexit 0\n');
  setTool('make', workingMake(fakeServer('9.1.2'), fakeClient('1')));

  const content = packSource(root);
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  return {
    toolsDir,
    cacheDir: join(root, 'cache', 'engine'),
    env: { PATH: toolsDir, HOME: root },
    archive: {
      url: `http://127.0.0.1:${port}/9.1.2.tar.gz`,
      sha256: createHash('sha256').update(content).digest('hex'),
    },
    requests: () => asked,
    setTool,
    removeTool: (name) => rmSync(join(toolsDir, name)),
    close: () => {
      server.closeAllConnections();
      server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A source archive with as much in it as the build reads itself: the version, and two files to count. */
function packSource(root: string): Buffer {
  const top = join(root, 'some-unpredictable-name');
  mkdirSync(join(top, 'src'), { recursive: true });
  writeFileSync(join(top, 'src', 'version.h'), '#define VALKEY_VERSION "9.1.2"\n');
  for (const name of ['one.c', 'two.c']) writeFileSync(join(top, 'src', name), '\n');
  const tarball = join(root, 'packed.tar.gz');
  execFileSync('tar', ['-czf', tarball, '-C', root, 'some-unpredictable-name']);
  return readFileSync(tarball);
}
