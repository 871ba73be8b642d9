/** One scene for all tests of a suite, with a plain client at its endpoint. */
import { after, before } from 'node:test';
import { Redis } from 'ioredis';
import { endpointScene, type Scene, type SceneOptions } from './endpoint-scene.ts';

export interface SharedScene {
  scene: Scene;
  /** Connected. */
  client: Redis;
}

/** To be called in a suite: made before its tests and handed to `use`, ended after them. */
export function sharedScene(use: (made: SharedScene) => unknown, options: SceneOptions = {}): void {
  const ends: (() => unknown)[] = [];
  before(async () => {
    const scene = await endpointScene({ after: (end) => ends.push(end as () => unknown) }, options);
    const client = new Redis(scene.port, scene.host, { lazyConnect: true });
    ends.push(() => client.disconnect());
    await client.connect();
    await use({ scene, client });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
}
