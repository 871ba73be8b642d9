/** Every check, and what all of them say of a host. Pure: the facts are gathered elsewhere. */
import type { Finding } from '../domain/finding.ts';
import { type Check, findingOf } from './check.ts';
import { DISK_CHECKS } from './checks/disk.ts';
import { MEMORY_CHECKS } from './checks/memory.ts';
import { NETWORK_CHECKS } from './checks/network.ts';
import { SYSTEM_CHECKS } from './checks/system.ts';
import type { HostFacts } from './facts.ts';

/** In the order they are told; docs/doctor.md is made of them. */
export const CHECKS: readonly Check[] = [...SYSTEM_CHECKS, ...MEMORY_CHECKS, ...DISK_CHECKS, ...NETWORK_CHECKS];

/** One finding for each check, in their order. */
export const diagnoseHost = (facts: HostFacts): Finding[] => CHECKS.map((check) => findingOf(check, facts));
