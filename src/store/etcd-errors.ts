/** What can be wrong with etcd, said to people. */
import { ValkeeperError } from '../domain/errors.ts';
import { CODE, type Reply } from './etcd-http.ts';

type Failure = Exclude<Reply<unknown>, { kind: 'answer' }>;

/** The error for people behind a request that changes nothing, or that may be repeated, and was not answered. */
export function etcdError(failure: Failure): ValkeeperError {
  if (failure.kind === 'lost') return new ValkeeperError('store_unreachable', { problem: failure.problem });
  const { code, message } = failure;
  if (code === CODE.tooLarge) {
    const remedy = 'Page with a smaller limit.';
    return new ValkeeperError('store_limit', { what: 'list', problem: message, remedy });
  }
  return new ValkeeperError('store_unusable', { path: 'in etcd', problem: message, remedy: remedyFor(code) });
}

/** As `etcdError`, for a commit: that it may have been made is said. */
export function commitError(failure: Failure & { sentBefore: boolean }): ValkeeperError {
  if (!failure.sentBefore) return etcdError(failure);
  return new ValkeeperError('store_outcome_unknown', {
    problem: failure.kind === 'lost' ? failure.problem : failure.message,
  });
}

function remedyFor(code: number): string {
  switch (code) {
    case CODE.exhausted:
      return 'Compact and defragment etcd, then disarm its alarm (`etcdctl alarm disarm`); see docs/adr/0008-several-control-planes.md.';
    case CODE.denied:
      return "Give the user of etcd the right to read and write all keys that begin with the store's prefix.";
    case CODE.unauthenticated:
    case CODE.invalid:
      return "Check the user and password for etcd, and etcd's own log.";
    default:
      return "Look at etcd's own log.";
  }
}
