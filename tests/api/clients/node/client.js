// AWS's SDK for JavaScript in the table of tests/api/cells.py: a command per line in, what the SDK made of the answer out.
// Endpoint, keys and region come from the environment, as for any program.
"use strict";

const readline = require("node:readline");

const SDKS = {
  keyspaces: require("@aws-sdk/client-keyspaces"),
  resourcegroupstaggingapi: require("@aws-sdk/client-resource-groups-tagging-api"),
  sts: require("@aws-sdk/client-sts"),
};
const clients = {
  keyspaces: new SDKS.keyspaces.KeyspacesClient({}),
  resourcegroupstaggingapi: new SDKS.resourcegroupstaggingapi.ResourceGroupsTaggingAPIClient({}),
  sts: new SDKS.sts.STSClient({}),
};

/** A value as AWS's model has it; times are seconds since 1970. */
function plain(value) {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([name, v]) => name !== "$metadata" && v !== undefined)
    .map(([name, v]) => [name, plain(v)]));
}

/** The class that an application would look for, if the SDK made the error of that class. */
function faultOf(sdk, error) {
  if (!error.$metadata) return { fault: "Client", message: String(error.stack) };
  const known = sdk[error.name] && error instanceof sdk[error.name];
  return { fault: known ? error.name : `${error.constructor.name}: ${error.name}`, message: error.message,
    status: error.$metadata.httpStatusCode, id: error.$metadata.requestId };
}

async function run({ service, operation, input, page }) {
  const sdk = SDKS[service], client = clients[service];
  try {
    if (!page) {
      const answer = await client.send(new sdk[operation + "Command"](input));
      return { answer: plain(answer), id: answer.$metadata.requestId };
    }
    const pages = [];
    const settings = page.member ? { client, pageSize: page.size } : { client };
    for await (const answer of sdk["paginate" + operation](settings, input)) pages.push(plain(answer));
    return { pages };
  } catch (error) {
    return faultOf(sdk, error);
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin }))
    process.stdout.write(JSON.stringify(await run(JSON.parse(line))) + "\n");
}

main();
