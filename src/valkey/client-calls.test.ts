/** What of INFO commandstats clients have asked for. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { clientCallsIn } from './client-calls.ts';

const info = [
  '# Commandstats',
  'cmdstat_info:calls=900,usec=90000,usec_per_call=100.00,rejected_calls=0,failed_calls=0',
  'cmdstat_cluster|slots:calls=50,usec=90,usec_per_call=1.80,rejected_calls=0,failed_calls=0',
  'cmdstat_set:calls=5,usec=10,usec_per_call=2.00,rejected_calls=0,failed_calls=0',
  'cmdstat_object|encoding:calls=3,usec=10,usec_per_call=3.33,rejected_calls=0,failed_calls=0',
  'cmdstat_publish:calls=1,usec=10,usec_per_call=10.00,rejected_calls=0,failed_calls=0',
].join('\r\n');

it('counts all but what a cluster is run by', () => {
  assert.equal(clientCallsIn(info), 9);
  assert.equal(clientCallsIn(''), 0);
});
