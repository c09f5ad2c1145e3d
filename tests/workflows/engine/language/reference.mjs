// Answers JSONata expressions by the reference engine: {"variables", "expressions"} on standard input,
// a list of {"value"}, {"undefined"}, {"function"} or {"error"} on standard output.
// node reference.mjs PATH_OF_JSONATA_JS
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const jsonata = createRequire(import.meta.url)(process.argv[2]);
const { variables, expressions } = JSON.parse(readFileSync(0, "utf8"));

async function answer(expression) {
  try {
    const value = await jsonata(expression).evaluate(undefined, variables);
    if (value === undefined) return { undefined: true };
    if (typeof value === "function" || value?._jsonata_lambda || value?._jsonata_function) return { function: true };
    return { value };
  } catch (error) {
    return { error: `${error.code}: ${error.message}` };
  }
}

console.log(JSON.stringify(await Promise.all(expressions.map(answer))));
