/** The API's document as a file for tools. */
import { openApiDocument } from '../src/api/openapi.ts';

/** Text of docs/openapi.json. */
export const renderOpenApi = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;
