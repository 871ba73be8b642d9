/** What `doctor` looks at on this host, gathered and judged. Needs no server. */

import { askTime } from '../doctor/ask-time.ts';
import { diagnoseHost } from '../doctor/diagnose-host.ts';
import type { HostFacts } from '../doctor/facts.ts';
import { gatherFacts } from '../doctor/gather.ts';
import { toErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { Finding } from '../domain/finding.ts';
import { knowsTls } from '../engine/tls.ts';
import { runningServer } from './data-dir.ts';
import { existingEngine } from './engine.ts';
import { readFleet } from './fleet-file.ts';
import { DEFAULT_PORT } from './server.ts';

/**
 * @param server the control plane whose clock ours is compared with; that of the data directory if none is given
 * @throws invalid_value when `server` is not the address of one
 */
export async function examineHost(dataDir: string, server: string | undefined): Promise<Finding[]> {
  const url = server === undefined ? runningServer(dataDir)?.url : addressOf(server);
  const [clock, engine, fleet] = await Promise.all([
    url === undefined ? null : askTime(url),
    engineFacts(),
    readFleet(dataDir).catch(() => null), // what is wrong with it, the server says
  ]);
  const apiPort = fleet?.apiPort ?? DEFAULT_PORT;
  const places = { proc: '/proc', sys: '/sys', dataDir };
  return diagnoseHost(await gatherFacts({ ...places, clock, engine, apiPort, nodeVersion: process.versions.node }));
}

async function engineFacts(): Promise<HostFacts['engine']> {
  try {
    const { version, serverPath } = await existingEngine();
    return { version, path: serverPath, tls: await knowsTls(serverPath, process.env) };
  } catch (error) {
    return { problem: toErrorDocument(error).message };
  }
}

function addressOf(server: string): string {
  if (URL.canParse(server) && /^https?:$/.test(new URL(server).protocol)) return server;
  throw new ValkeeperError('invalid_value', {
    field: '--server',
    problem: `must be the address of a control plane, is ${server}`,
    remedy: 'Write it such as --server http://10.0.0.1:7420.',
  });
}
