import { COLOURS, lines } from "./charts.js";
import { $, api, attempt, begin, gently, h, listen, tell } from "./lib.js";

const start = $("start");
const chosen = new Set();
let runs = [], ideas = {};

async function load() {
  const [datasets, found] = await Promise.all([api("/datasets"), api("/runs")]);
  runs = found;
  $("datasets").tBodies[0].replaceChildren(
    ...(datasets.length ? datasets.map(dataset) : [h("tr", {}, h("td", { colspan: 6, class: "faint" }, "No data set yet: label your recordings, make a simulated one, or copy a store into the workspace's folder datasets."))]),
  );
  fill(start.elements.data, datasets.map(({ name }) => name));
  for (const name of [...chosen]) if (!runs.some((run) => run.name === name)) chosen.delete(name);
  if (!chosen.size && runs.length) chosen.add(runs[0].name);
  $("runs").tBodies[0].replaceChildren(...runs.map(row));
  $("noruns").hidden = runs.length > 0;
  $("starter").hidden = !runs.some((run) => run.scores_library);
  $("compare").disabled = $("test").disabled = !finished().length;
  await curves();
}

function finished() {
  return runs.filter((run) => chosen.has(run.name) && run.state === "done").map(({ name }) => name);
}

function dataset({ name, kind, simulated, clips }) {
  return h("tr", {}, h("th", { scope: "row" }, name, simulated ? h("strong", {}, " (simulated)") : null), h("td", {}, kind), ...["train", "valid", "test", "unlabelled"].map((split) => h("td", {}, String(clips[split] ?? 0))));
}

function fill(select, names) {
  const before = select.value;
  select.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
  if (names.includes(before)) select.value = before;
}

const STATES = { waiting: "waits its turn", running: "trains", done: "finished", failed: "failed", cancelled: "stopped" };

function row(run) {
  const tick = h("input", { type: "checkbox", "aria-label": `choose ${run.name}`, checked: chosen.has(run.name), onchange: (event) => choose(run.name, event.target.checked) });
  const button = (name, action) => h("button", { type: "button", class: "small", onclick: action, "aria-label": `${name} ${run.name}` }, name);
  const busy = ["waiting", "running"].includes(run.state);
  const actions = [
    busy && button("Stop", () => act(`/jobs/${run.job}/cancel`)),
    !busy && run.state !== "done" && button("Resume", () => act(`/runs/${run.name}/resume`)),
    run.state === "done" && !run.scores_library && button("Use for the library", () => use(run.name)),
    !busy && !run.scores_library && button("Delete", () => remove(run.name)),
  ].filter(Boolean);
  const progress = h("progress", { max: 1, value: run.progress ?? 0, "aria-label": `progress of ${run.name}` });
  return h(
    "tr", { "data-run": run.name },
    h("td", {}, tick), h("th", { scope: "row" }, run.name), h("td", {}, run.model), h("td", {}, run.data),
    h("td", {}, run.state === "running" ? progress : STATES[run.state], h("small", { class: "faint" }, run.scores_library ? " scores the library" : run.state === "failed" ? ` ${run.message}` : run.seeds > 1 ? ` ${run.finished_seeds} of ${run.seeds} seeds` : "")),
    h("td", {}, number(run.scores.valid_mae)), h("td", {}, number(run.scores.valid_corr)), h("td", {}, h("div", { class: "row" }, ...actions)),
  );
}

const number = (value) => (value === undefined ? "–" : value.toFixed(3));

function choose(name, is) {
  if (is) chosen.add(name);
  else chosen.delete(name);
  $("compare").disabled = $("test").disabled = !finished().length;
  attempt(curves);
}

async function curves() {
  const names = runs.map(({ name }) => name).filter((name) => chosen.has(name)).slice(0, COLOURS.length);
  const found = await Promise.all(names.map((name) => api(`/runs/${name}/curves`)));
  const series = (column, dash) => found.flatMap(({ seeds }, place) => Object.values(seeds).map((columns, seed) => ({
    name: seed === 0 ? `${names[place]}${dash ? " (training)" : ""}` : "", colour: COLOURS[place], dash, points: (columns[column] ?? []).map((value, epoch) => [epoch + 1, value]),
  }))).filter(({ points }) => points.some(([, value]) => value !== null));
  const charts = [
    ["Mean absolute error on validation", series("valid_mae")],
    ["Joint loss: validation, dashed training", [...series("valid_loss"), ...series("train_loss", "4 3")]],
  ].filter(([, each]) => each.length);
  $("curves").replaceChildren(...charts.map(([title, each]) => lines(title, each, { xLabel: "epoch" })));
}

async function act(path, method = "POST", body = undefined) {
  const done = await attempt(async () => (await api(path, method, body)) ?? true);
  if (done) await attempt(load);
  return done;
}

async function use(name) {
  const job = await act("/model", "PUT", { run: name, rescore: true });
  if (job) tell(name ? `${name} is checked, then it scores the library.` : "The starter model scores the library again.");
}

function remove(name) {
  if (confirm(`Delete the run ${name}?`)) act(`/runs/${name}`, "DELETE");
}

async function compare(split) {
  if (split === "test" && !confirm("The test split tells the truth once: whoever chooses by it fools themselves. Score on it now?")) return;
  const job = await act("/runs/compare", "POST", { runs: finished(), split });
  if (job) $("comparison").replaceChildren(h("p", { class: "faint" }, "Being computed …"));
}

function show(found) {
  const table = ({ columns, rows }) => h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "table" }, h("table", {}, h("thead", {}, h("tr", {}, ...columns.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...rows.map((cells) => h("tr", {}, ...cells.map((cell, place) => (place ? h("td", {}, cell) : h("th", { scope: "row" }, cell))))))));
  $("comparison").replaceChildren(
    h("h3", {}, `On ${found.clips} ${found.split === "valid" ? "validation" : "test"} clips`),
    found.simulated ? h("p", { class: "notice bad" }, "Simulated data: these numbers compare with nothing published.") : "",
    h("p", { class: "faint" }, `Mean ± deviation over seeds, 95 % interval over ${found.units}.`),
    table(found.scores), ...found.gaps.map((gap) => h("p", {}, gap)),
    ...found.pairs.flatMap((pair) => [h("h3", {}, pair.pair), h("p", { class: "faint" }, `paired bootstrap over ${found.units}`), table(pair)]),
  );
}

start.addEventListener("submit", (event) => {
  event.preventDefault();
  const said = start.elements;
  const run = { data: said.data.value, model: said.model.value, name: said.name.value, seeds: Number(said.seeds.value), epochs: said.epochs.value ? Number(said.epochs.value) : null };
  chosen.clear();
  chosen.add(run.name);
  act("/runs", "POST", run).then((done) => done && propose());
});
start.elements.model.addEventListener("change", propose);
function propose() {
  const model = start.elements.model.value;
  $("idea").textContent = ideas[model] ?? "";
  const taken = new Set(runs.map(({ name }) => name));
  let name = model, count = 1;
  while (taken.has(name)) name = `${model}-${(count += 1)}`;
  start.elements.name.value = name;
}
$("practice").addEventListener("click", async () => {
  const job = await act("/datasets", "POST", { name: `practice-${Date.now().toString(36).slice(-4)}`, source: "simulated" });
  if (job) $("practising").textContent = "Being made …";
});
$("compare").addEventListener("click", () => compare("valid"));
$("test").addEventListener("click", () => compare("test"));
$("starter").addEventListener("click", () => use(null));
const reload = gently(load, 600);
listen(
  {
    job: async ({ job }) => {
      if (job.kind === "evaluate" && job.state === "done") attempt(async () => show((await api(`/jobs/${job.id}`)).found));
      if (["evaluate", "adopt", "simulate"].includes(job.kind) && job.state === "failed") {
        tell(job.message, 15);
        if (job.kind === "evaluate") $("comparison").replaceChildren(h("p", { class: "notice bad" }, job.message));
      }
      if (job.kind === "simulate" && job.state !== "running") $("practising").textContent = "";
      if (["train", "simulate", "dataset", "adopt"].includes(job.kind)) reload();
    },
  },
  reload,
);
begin(async () => {
  const models = await api("/models");
  ideas = Object.fromEntries(models.map(({ name, idea }) => [name, idea]));
  fill(start.elements.model, models.map(({ name }) => name));
  start.elements.model.value = "IMLCMM";
  await load();
  propose();
});
