/** What the session store's test uses of it; the package has no types of its own. */
declare module 'express-session' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  interface Options {
    store: unknown;
    secret: string;
    resave: boolean;
    saveUninitialized: boolean;
  }
  type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  const session: (options: Options) => Middleware;
  export class Store {}
  export default session;
}
