// Reads a JSON list of objects of KEDA and of the Prometheus operator, and writes for each the list of what the published
// schema of its kind refuses.
//
// The schemas are published as compiled validators, which let pass each field that they do not know. They look at every
// field that they do know, though: so a field that a validator has not looked at is one that it does not know.

import { readFileSync } from "node:fs";

const SCHEMAS = {
  "keda.sh/v1alpha1": "keda/_schemas/ComGithubKedacoreKedaV2ApisKedaV1alpha1",
  "monitoring.coreos.com/v1":
    "prometheus-operator/_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1",
};

async function refusals(object) {
  const place = SCHEMAS[object.apiVersion];
  const { validate } = await import(`./node_modules/@kubernetes-models/${place}${object.kind}.js`);
  const seen = new Map();
  validate(watched(object, seen));
  const broken = (validate.errors ?? []).map(
    ({ instancePath, keyword, params }) => `${instancePath}: ${keyword} ${JSON.stringify(params)}`,
  );
  return [...broken, ...unknown(object, "", seen)];
}

/** *value* as the validator gets it; *seen* gets the names of the fields that it looks at, by the object that has them. */
function watched(value, seen) {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, name) {
      seen.set(target, (seen.get(target) ?? new Set()).add(name));
      return watched(target[name], seen);
    },
  });
}

function unknown(value, path, seen) {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    seen.get(value)?.has(name) ? unknown(inner, `${path}/${name}`, seen) : [`${path}/${name}: unknown field`],
  );
}

const objects = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
for (const object of objects) answers.push(await refusals(object));
process.stdout.write(JSON.stringify(answers));
