/** The pages that are generated, or have tables that are. */
import { renderBehaviours } from './render-behaviours.ts';
import { renderCommands } from './render-commands.ts';
import { renderConditions } from './render-conditions.ts';
import { renderConformance } from './render-conformance.ts';
import { renderDoctor } from './render-doctor.ts';
import { renderEndpoint } from './render-endpoint.ts';
import { renderErrors } from './render-errors.ts';
import { renderOpenApi } from './render-openapi.ts';
import { renderPlacement } from './render-placement.ts';

const page = (name: string, render: () => string) => ({ name, path: new URL(`../${name}`, import.meta.url), render });

export const PAGES = [
  page('docs/errors.md', renderErrors),
  page('docs/commands.md', renderCommands),
  page('docs/conditions.md', renderConditions),
  page('docs/conformance.md', renderConformance),
  page('docs/doctor.md', renderDoctor),
  page('docs/endpoint-behaviour.md', renderBehaviours),
  page('docs/endpoint.md', renderEndpoint),
  page('docs/openapi.json', renderOpenApi),
  page('docs/placement.md', renderPlacement),
];
