import assert from 'node:assert/strict';
import { test } from 'node:test';
import { damageInLog } from './data-damage.ts';

const FILES = ['appendonly.aof.2.base.rdb', 'appendonly.aof.2.incr.aof'];
const line = (text: string): string => `711:M 26 Nov 2026 23:40:00.223 # ${text}\n`;
const BAD = (file: string): string =>
  line(
    `Bad file format reading the append only file ${file}: make a backup of your AOF file, then use ./valkey-check-aof`,
  );

test('the engine’s words (Valkey 9.1.2) and what they mean', () => {
  const folder = 'appendonlydir';
  for (const [text, files, file, cuttable] of [
    [BAD(FILES[1]!), FILES, `${folder}/${FILES[1]}`, true],
    [BAD(FILES[0]!), FILES, `${folder}/${FILES[0]}`, false],
    [BAD(FILES[1]!), [...FILES, 'appendonly.aof.3.incr.aof'], `${folder}/${FILES[1]}`, false],
    [
      line(`Unexpected end of file reading the append only file ${FILES[1]}. You can: 1)`),
      FILES,
      `${folder}/${FILES[1]}`,
      true,
    ],
    [
      line(`Error reading the append only file ${FILES[1]}, error: unknown command`),
      FILES,
      `${folder}/${FILES[1]}`,
      false,
    ],
    [
      line(`Unable to obtain the AOF file ${FILES[1]} length. stat: No such file or directory`),
      FILES,
      `${folder}/${FILES[1]}`,
      false,
    ],
    ['*** FATAL AOF MANIFEST FILE ERROR ***\n', [], `${folder}/appendonly.aof.manifest`, false],
    [
      line('Internal error in RDB reading offset 0, function at rdb.c:3632 -> Unexpected EOF reading RDB file'),
      FILES,
      `${folder}/${FILES[0]}`,
      false,
    ],
    [line('Wrong signature trying to load DB from file: GARBAGE80'), [], 'dump.rdb', false],
    [line('Wrong RDB checksum expected: (4e81) but got (4e45). Aborting now.'), [], 'dump.rdb', false],
  ] as const) {
    const found = damageInLog(text, files);
    assert.deepEqual([found?.file, found?.cuttable], [file, cuttable], text);
  }
});

test('what is no damage: too little memory, a full disk, what came after all was read', () => {
  const short = line('Internal error in RDB reading offset 0 -> Unexpected EOF reading RDB file');
  for (const text of [
    line('rdbGenericLoadStringObject failed allocating 104857600 bytes') + short,
    line("Can't open or create append-only dir appendonlydir: No space left on device"),
    line('Ready to accept connections tcp') + short,
    '',
  ]) {
    assert.equal(damageInLog(text, FILES), null, text);
  }
});
