/** The REST API's schemas: one source for validation, the API's documents and its clients. */
import { z } from 'zod';
import type { Event } from '../domain/event.ts';
import { EVICTION_POLICIES, PERSISTENCE_MODES, SPEC_LIMITS } from '../domain/spec.ts';
import type { Condition, DatabaseStatus } from '../domain/status.ts';
import type { MachineView } from '../domain/view.ts';

/** What may be said of a new database; what is left out takes its default. */
export const specInputSchema = z
  .strictObject({
    shards: z.int().min(SPEC_LIMITS.shards.min).max(SPEC_LIMITS.shards.max),
    replicas: z.int().min(SPEC_LIMITS.replicas.min).max(SPEC_LIMITS.replicas.max),
    memoryBytes: z.int().positive(),
    persistence: z.enum(PERSISTENCE_MODES),
    eviction: z.enum(EVICTION_POLICIES),
    auth: z.boolean(),
  })
  .partial();
export type SpecInput = z.infer<typeof specInputSchema>;

export const createDatabaseSchema = z.strictObject({ name: z.string(), spec: specInputSchema.default({}) });
export type CreateDatabase = z.infer<typeof createDatabaseSchema>;

/** Without `spec`: what would be done now for an existing database. With it: what creating it would do. */
export const planRequestSchema = z.strictObject({ name: z.string(), spec: specInputSchema.optional() });
export type PlanRequest = z.infer<typeof planRequestSchema>;

export const eventsQuerySchema = z.strictObject({
  database: z.string().optional(),
  /** Only events after this number. */
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});

export const logsQuerySchema = z.strictObject({ lines: z.coerce.number().int().min(1).max(10_000).default(200) });

export const shutdownSchema = z.strictObject({
  /** Go on although a database keeps nothing on disk. */
  loseUnsavedData: z.boolean().default(false),
});

/** One step of a plan, for people and machines. */
export interface PlannedStep {
  /** Steps of one stage run side by side; the next stage begins with a new observation. */
  stage: number;
  kind: string;
  /** The node, or the database. */
  target: string;
  /** Code of the problem it mends. */
  because: string;
  /** The step and its reason in words. */
  sentence: string;
}

export interface PlanDocument {
  database: string;
  steps: PlannedStep[];
  /** What would be done if a gate did not forbid it now. */
  blocked: { because: string; reason: string }[];
}

export interface FleetStatus {
  version: string;
  pid: number;
  /** ISO time. */
  startedAt: string;
  dataDir: string;
  engineVersion: string;
  stopping: boolean;
  machines: MachineStatus[];
  databases: Pick<DatabaseStatus, 'name' | 'state'>[];
  looks: LookTimes;
}

/** Looks at databases since the control plane's start: how many, and the sum of their times in milliseconds. */
export interface LookTimes {
  count: number;
  totalMs: number;
}

export type MachineStatus = Omit<MachineView, 'since'> & {
  /** ISO time since which `connected` has its value. */
  since: string;
  nodes: number;
};

export interface PasswordDocument {
  user: string;
  /** Null: the database is open to all who reach it. */
  password: string | null;
}

export interface DatabaseList {
  databases: DatabaseStatus[];
}

export interface MachineList {
  machines: MachineStatus[];
}

export interface EventList {
  events: Event[];
}

/** Conditions of several databases. */
export interface FleetConditionList {
  conditions: (Condition & { database: string })[];
}

export interface LogDocument {
  source: string;
  text: string;
}
