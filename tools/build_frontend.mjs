// What turns the sources of the interface into the files a browser receives?
//
// node tools/build_frontend.mjs [--check]: bundles the styles and the TypeScript islands, copies
// the font, and gathers the icons into one sprite. `--check` only runs the type checker.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const styles = join(root, "src/liane/ui/static/src");
const served = join(root, "src/liane/ui/static/built");
const built = `${served}.${process.pid}`; // made aside, then put in place at once
const modules = join(root, "node_modules");

/** Style sheets in their order of reading, then those that rooms and gateways keep beside pages. */
function styleSheets() {
  const own = readFileSync(join(styles, "order.txt"), "utf8").split("\n").filter(Boolean);
  const sheets = own.map((name) => join(styles, name));
  for (const area of ["rooms", "gateways"]) {
    const folder = join(root, "src/liane", area);
    for (const room of readdirSync(folder).sort()) {
      let files = [];
      try {
        files = readdirSync(join(folder, room, "styles"));
      } catch {
        continue; // a room without styles of its own
      }
      for (const file of files.sort()) {
        if (file.endsWith(".css")) sheets.push(join(folder, room, "styles", file));
      }
    }
  }
  return sheets;
}

/** Every `frontend/*.ts` that is named here is one file of the browser. */
function islands() {
  return readdirSync(join(root, "frontend"))
    .filter((name) => name.endsWith(".entry.ts"))
    .map((name) => ({ in: join(root, "frontend", name), out: name.replace(".entry.ts", "") }));
}

function sprite() {
  const names = readFileSync(join(styles, "icons.txt"), "utf8").split(/\s+/).filter(Boolean);
  const symbols = [...new Set(names)].sort().map((name) => {
    const svg = readFileSync(join(modules, "lucide-static/icons", `${name}.svg`), "utf8");
    const inner = svg.replace(/^[\s\S]*?<svg[\s\S]*?>/, "").replace(/<\/svg>\s*$/, "");
    return `<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s+/g, " ").trim()}</symbol>`;
  });
  const notice = "<!-- Icons: Lucide, ISC licence -->";
  return `<svg xmlns="http://www.w3.org/2000/svg">${notice}${symbols.join("")}</svg>\n`;
}

function fonts() {
  const from = join(modules, "@fontsource-variable/inter/files");
  mkdirSync(join(built, "fonts"), { recursive: true });
  for (const part of ["latin", "latin-ext"]) {
    copyFileSync(join(from, `inter-${part}-wght-normal.woff2`), join(built, `fonts/inter-${part}.woff2`));
  }
}

async function main() {
  if (process.argv.includes("--check")) {
    const tsc = join(modules, "typescript/bin/tsc");
    execFileSync(process.execPath, [tsc, "--project", join(root, "frontend/tsconfig.json")], {
      stdio: "inherit",
    });
    return;
  }
  rmSync(built, { recursive: true, force: true });
  mkdirSync(built, { recursive: true });
  const common = { bundle: true, minify: true, target: ["chrome120", "firefox121", "safari17"] };
  await build({
    ...common,
    stdin: {
      contents: styleSheets().map((path) => `@import ${JSON.stringify(path)};`).join("\n"),
      resolveDir: styles,
      loader: "css",
    },
    target: ["esnext"],
    external: ["/static/*"],
    outfile: join(built, "liane.css"),
  });
  await build({
    ...common,
    entryPoints: islands(),
    outdir: built,
    format: "esm",
    sourcemap: false,
    nodePaths: [modules],
    legalComments: "eof",
  });
  fonts();
  writeFileSync(join(built, "icons.svg"), sprite());
  copyFileSync(join(styles, "mark.svg"), join(built, "mark.svg"));
  const stamps = {};
  for (const name of readdirSync(built)) {
    if (!/\.(css|js|svg)$/.test(name)) continue;
    const digest = createHash("sha256").update(readFileSync(join(built, name))).digest("hex");
    stamps[name] = digest.slice(0, 12);
  }
  writeFileSync(join(built, "stamps.json"), JSON.stringify(stamps, null, 1));
  rmSync(served, { recursive: true, force: true });
  renameSync(built, served);
}

await main();
