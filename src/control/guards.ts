/** The databases that each agent guards: those with something on its machine, told whenever one of their records changes. */
import { type Database, isOn } from '../domain/database.ts';
import type { GuardedDatabase } from '../domain/roster.ts';
import { keptFor } from '../plan/kept.ts';
import { Teller, type TellerSurroundings } from './teller.ts';

export interface GuardsOptions extends TellerSurroundings {
  databases: () => readonly Database[];
}

/** The same object as long as the record is: so whether agents have heard of it costs little to see. */
const guarded = keptFor(({ secrets, ...record }: Database): GuardedDatabase => {
  return { ...record, adminPassword: secrets.adminPassword };
});

export class Guards extends Teller<'guard_databases'> {
  constructor(options: GuardsOptions) {
    super({
      ...options,
      operation: 'guard_databases',
      wanted: () => {
        const all = options.databases();
        return (machine) => ({ databases: all.filter((database) => isOn(database, machine)).map(guarded) });
      },
    });
  }
}
