/** All routes begin with it. Apart from the schemas, so that a client need not load them. */
export const API_PREFIX = '/v1';
