/** An event becomes a line of the log, and history. */
import type { NewEvent } from '../domain/event.ts';
import type { ControlPlaneOptions } from './plane-options.ts';

/** Records an event at once, in the background: history that cannot be written stops nothing. */
export const recorder =
  ({ clock, events, log }: Pick<ControlPlaneOptions, 'clock' | 'events' | 'log'>) =>
  (event: NewEvent): void => {
    const { message, severity, ...fields } = event;
    log[severity === 'error' ? 'error' : severity === 'warning' ? 'warn' : 'info'](fields, message);
    events
      .append(event, clock.now())
      .catch((error: unknown) => log.error({ err: error }, 'An event could not be recorded.'));
  };
