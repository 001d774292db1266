import { $, NAMES, api, attempt, begin, clock, h, listen, tell } from "./lib.js";
import { makePlayer } from "./player.js";

// Five words on the scale of CH-SIMS, each inside its class; the arrows reach the steps between.
const SCALE = [[-0.8, "negative"], [-0.4, "weakly negative"], [0, "neutral"], [0.4, "weakly positive"], [0.8, "positive"]];
const QUESTIONS = { text: "What do the words alone say?", audio: "What does the voice alone say?", vision: "What does the face alone say?", multimodal: "What does it all together say?" };
// In the field's order: whoever has heard the voice cannot judge the words alone any more.
const ORDER = ["text", "audio", "vision", "multimodal"];

const who = $("who");
let task = null, steps = [], step = 0, value = null, player = null, skipped = [], before = [];

for (const name of ["rater", "order"]) {
  const kept = localStorage.getItem(`label ${name}`);
  if (kept) who.elements[name].value = kept;
}

who.addEventListener("submit", (event) => {
  event.preventDefault();
  for (const name of ["rater", "order"]) localStorage.setItem(`label ${name}`, who.elements[name].value);
  if (!targets().length) {
    tell("Tick what you want to judge.");
    return;
  }
  $("labelling").hidden = false;
  skipped = [];
  before = [];
  next();
});

function targets() {
  const chosen = [...who.querySelectorAll("[name=target]:checked")].map((box) => box.value);
  return ORDER.filter((target) => chosen.includes(target));
}

async function next() {
  const wanted = new URLSearchParams({ rater: who.elements.rater.value.trim(), order: who.elements.order.value });
  for (const target of targets()) wanted.append("targets", target);
  for (const number of skipped.slice(-200)) wanted.append("skip", number);
  if (who.elements.collection.value) wanted.set("collection", who.elements.collection.value);
  const found = await attempt(() => api(`/labels/next?${wanted}`));
  if (!found) return;
  show(found);
}

function show(found) {
  task = found;
  $("progress").textContent = `${found.done} labelled, ${found.left} left`;
  for (const id of ["replay", "skip", "keep"]) $(id).disabled = !found.utterance;
  if (!found.utterance) {
    $("question").textContent = found.done ? "All labelled. Thank you!" : "There is nothing to label yet.";
    $("said").textContent = "";
    $("player").replaceChildren();
    $("scale").replaceChildren();
    $("from").textContent = " ";
    return;
  }
  const { utterance, recording } = found;
  const possible = { text: utterance.transcript !== "", audio: recording.has_sound, vision: recording.has_picture, multimodal: true };
  steps = targets().filter((target) => possible[target]);
  if (!steps.length) {
    skipped.push(utterance.id);
    tell(`${recording.name} has nothing of what you judge; it is skipped.`);
    next();
    return;
  }
  step = 0;
  player?.pause();
  player = makePlayer(recording, { controls: false });
  player.addEventListener("loadedmetadata", ask, { once: true });
  player.addEventListener("timeupdate", () => player.currentTime >= utterance.end && player.pause());
  $("player").replaceChildren(player);
  $("from").textContent = `${recording.name}, ${clock(utterance.start)} to ${clock(utterance.end)}`;
  ask();
}

function ask() {
  const target = steps[step];
  value = task.labels[target] ?? null;
  $("question").textContent = QUESTIONS[target];
  // Each judge sees and hears only what is judged.
  $("said").textContent = ["text", "multimodal"].includes(target) ? task.utterance.transcript || "(no words)" : " ";
  $("player").classList.toggle("blind", ["text", "audio"].includes(target));
  player.muted = target === "vision";
  drawScale();
  if (target === "text") player.pause();
  else replay();
}

function replay() {
  if (!task?.utterance || steps[step] === "text") return;
  player.currentTime = task.utterance.start;
  player.play().catch(() => null);
}

function drawScale() {
  const near = value === null ? null : SCALE.reduce((best, each) => (Math.abs(each[0] - value) < Math.abs(best[0] - value) ? each : best));
  $("scale").replaceChildren(
    ...SCALE.map((each, place) =>
      h(
        "button",
        { type: "button", role: "radio", "aria-checked": String(each === near), "data-value": each[0], onclick: () => choose(each[0]) },
        h("kbd", {}, String(place + 1)), h("span", {}, each[1]), h("span", {}, each === near ? `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}` : " "),
      ),
    ),
  );
}

function choose(chosen) {
  value = Math.round(10 * Math.max(-1, Math.min(1, chosen))) / 10;
  drawScale();
}

async function keep() {
  if (!task?.utterance) return;
  if (value === null) {
    tell("Choose first: the keys 1 to 5.");
    return;
  }
  const target = steps[step];
  const kept = await attempt(() => api(`/utterances/${task.utterance.id}/labels`, "PUT", { rater: who.elements.rater.value.trim(), labels: { [target]: value } }));
  if (!kept) return;
  task.labels = kept;
  if (step + 1 < steps.length) {
    step += 1;
    ask();
    return;
  }
  before.push(task);
  skipped = skipped.filter((number) => number !== task.utterance.id);
  agreement();
  next();
}

function skip() {
  if (!task?.utterance) return;
  skipped.push(task.utterance.id);
  next();
}

function undo() {
  if (step > 0) {
    step -= 1;
    ask();
  } else if (before.length) show(before.pop());
}

document.addEventListener("keydown", (event) => {
  if ($("labelling").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
  const pressed = event.target.tagName === "BUTTON" || event.target.tagName === "A";
  const action = {
    ArrowLeft: () => choose((value ?? 0) - 0.2), ArrowRight: () => choose((value ?? 0) + 0.2),
    s: skip, z: undo, ...(pressed && event.target.getAttribute("role") !== "radio" ? {} : { " ": replay, Enter: keep }),
  }[event.key] ?? (/^[1-5]$/.test(event.key) ? () => choose(SCALE[Number(event.key) - 1][0]) : null);
  if (!action) return;
  event.preventDefault();
  action();
});
for (const [id, action] of Object.entries({ replay, skip, undo, keep })) $(id).addEventListener("click", action);

async function agreement() {
  const summary = await api("/labels/summary");
  $("agreement").tBodies[0].replaceChildren(
    ...summary.agreement.map((one) =>
      h("tr", {}, h("th", { scope: "row" }, NAMES[one.target]), ...[one.labelled, one.raters, one.shared, one.alpha === null ? "–" : one.alpha.toFixed(2)].map((cell) => h("td", {}, String(cell)))),
    ),
  );
  const raters = Object.entries(summary.raters).map(([name, count]) => `${name} ${count}`);
  $("raters").textContent = raters.length ? `Utterances by rater: ${raters.join(", ")}` : "Nobody has labelled anything yet.";
}

$("make").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = event.target.elements.name.value;
  const job = await attempt(() => api("/datasets", "POST", { name, source: "labels" }));
  if (job) $("made").textContent = `${name} is being made; this goes on when you leave the page.`;
});
listen({
  job: ({ job }) => {
    if (job.kind !== "dataset" || !["done", "failed"].includes(job.state)) return;
    $("made").textContent = job.state === "done" ? `${job.subject} is made: ${job.message}` : `${job.subject} could not be made: ${job.message}`;
  },
}, agreement);
begin(async () => {
  await agreement();
  const page = await api("/recordings?limit=1");
  who.elements.collection.append(...page.collections.map((name) => h("option", { value: name }, name)));
});
