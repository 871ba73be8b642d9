/**
 * @peculiar/x509 with what it needs: since its version 2 its users load `reflect-metadata`, before it.
 *
 * Loading takes a quarter of a second and some 17 MB: only the authority does, and who seldom needs one imports
 * authority.ts when it does.
 */
import 'reflect-metadata';

export * from '@peculiar/x509';
