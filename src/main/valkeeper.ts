#!/usr/bin/env node
/** The program: hands the words typed to the command line, with everything that only this folder may wire together. */
import { readFileSync } from 'node:fs';
import type { Host } from '../cli/cli.ts';
import { reportError, runCli } from '../cli/program.ts';
import { defaultDataDir, endpointOf } from './data-dir.ts';
import { remoteEndpoint, remoteIn } from './remote.ts';

const host: Host = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  version: (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
    .version,
  program: [process.execPath, ...process.execArgv, import.meta.filename],
  defaultDataDir: defaultDataDir(process.env),
  endpoint: endpointOf,
  remote: remoteIn(process.env),
  remoteEndpoint,
  engine: async (dataDir) => (await import('./engine.ts')).describeEngine(dataDir),
  doctor: async (dataDir, server) => (await import('./doctor.ts')).examineHost(dataDir, server),
  processes: {
    up: async (cli, options) => (await import('./up.ts')).up(cli, options),
    down: async (cli, options) => (await import('./down.ts')).down(cli, options),
    demo: async (cli, options) => (await import('./demo.ts')).demo(cli, options),
    server: async (cli, options) => (await import('./server.ts')).runServer(cli, options),
    agent: async (cli, { machine, ...options }) => {
      if (machine !== undefined) await (await import('./agent.ts')).runAgent(cli, { machine });
      else await (await import('./joined-agent.ts')).runJoinedAgent(cli, options);
    },
  },
};

// Whoever reads our output may stop reading, as `head` does: that is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}
process.on('uncaughtException', (error) => {
  process.exit(reportError(error, process.argv.includes('--json'), host));
});

process.exitCode = await runCli(process.argv.slice(2), host);
