import { $, MODALITIES, NAMES, api, attempt, badge, begin, clock, gently, h, listen, percent, read, signed, tell } from "./lib.js";
import { makePlayer } from "./player.js";
import { Timeline, brief } from "./timeline.js";

const number = Number($("recording").dataset.number);
const timeline = new Timeline($("timeline"), (second) => seek(second, false));
let recording = null, player = null, current = null, editing = null, job = null;

async function load() {
  recording = await api(`/recordings/${number}`);
  document.title = `${recording.name} · imlcmm`;
  $("name").textContent = recording.name;
  const facts = [clock(recording.duration), recording.collection, recording.model && `scored by ${recording.model}`, STATES[recording.status]];
  $("facts").textContent = facts.filter(Boolean).join(" · ");
  $("failure").hidden = recording.status !== "failed";
  $("failure").textContent = recording.failure;
  for (const name of ["name", "collection"]) {
    const field = $("about").elements[name];
    if (document.activeElement !== field) field.value = recording[name];
  }
  $("again").disabled = recording.status === "running";
  $("cancel").hidden = !["waiting", "running"].includes(recording.status);
  showPlayer();
  timeline.show(recording);
  if (editing === null) showTranscript();
  current = null;
  follow();
}

const STATES = { waiting: "waits to be scored", running: "is being scored", done: "scored", failed: "not scored", cancelled: "scoring was stopped" };

function showPlayer() {
  const kind = `${recording.has_picture} ${recording.has_preview} ${recording.duration !== null}`;
  if (player?.dataset.kind === kind) return;
  if (recording.duration === null) {
    $("player").replaceChildren(h("p", { class: "faint" }, recording.status === "failed" ? "There is nothing to play." : "The player comes when the file has been looked at."));
    return;
  }
  player = makePlayer(recording, { "data-kind": kind });
  player.addEventListener("timeupdate", follow);
  player.addEventListener("seeked", follow);
  player.addEventListener("error", () => tell("Your browser cannot play this file; a copy that it can play is made where that is needed.", 8));
  $("player").replaceChildren(player);
}

function seek(second, play = true) {
  if (player) {
    player.currentTime = second;
    if (play) player.play().catch(() => null);
  }
  follow(second);
}

function follow(event) {
  const second = typeof event === "number" ? event : (player?.currentTime ?? timeline.second);
  timeline.at(second);
  const found = recording.utterance_list.findLast((u) => u.start <= second + 0.02) ?? recording.utterance_list[0] ?? null;
  if (found?.id === current) return;
  current = found?.id ?? null;
  for (const item of $("transcript").children) {
    const is = Number(item.dataset.utterance) === current;
    item.classList.toggle("current", is);
    if (is) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
    if (is) $("transcript").scrollTop = Math.max(0, item.offsetTop - $("transcript").offsetTop - $("transcript").clientHeight / 2);
  }
  showNow(found);
}

function showNow(u) {
  if (!u) {
    $("now").replaceChildren(h("h2", {}, "Utterance"), h("p", { class: "faint" }, recording.status === "done" ? "Nobody speaks here." : "Utterances appear as they are scored."));
    return;
  }
  const low = recording.low;
  const rows = [
    ["sentiment", u.is_stale ? "is being scored" : h("span", {}, badge(u.sentiment, recording), u.interval ? ` nine of ten lie from ${signed(u.interval[0], low)} to ${signed(u.interval[1], low)}` : "")],
    ["sure of the side", u.doubts.length ? u.doubts.join(", ") : percent(u.confidence)],
    ...MODALITIES.map((m) => [NAMES[m], u.unimodal[m] === undefined ? h("span", { class: "faint" }, u.missing[m] ?? "–") : badge(u.unimodal[m], recording)]),
    ...(u.agreement === "conflict" ? [["≠", h("strong", {}, "the modalities contradict each other")]] : []),
    ...(Object.keys(u.cues).length ? [["measured", Object.entries(u.cues).map(([name, value]) => `${name} ${brief(value)} ${recording.cue_units[name]}`).join(", ")]] : []),
    ...(u.contributions.length ? [["hinges on", u.contributions.map((c) => `${c.word} (${signed(c.change)})`).join(", ")]] : []),
    ...(u.moments.length ? [["looked at", u.moments.map((m) => `${NAMES[m.modality]} ${m.start.toFixed(1)}–${m.end.toFixed(1)} s`).join(", ")]] : []),
  ];
  $("now").replaceChildren(
    h("h2", {}, `${clock(u.start)} – ${clock(u.end)}${u.speaker ? ` · ${u.speaker}` : ""}`),
    h("blockquote", { tabindex: "0", "aria-label": "words of the utterance" }, u.transcript || "no words"),
    h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
  );
}

function showTranscript() {
  const kept = $("transcript").scrollTop;
  $("transcript").replaceChildren(...recording.utterance_list.map(line));
  $("transcript").scrollTop = kept;
  find();
}

function line(u) {
  return h(
    "li", { "data-utterance": u.id },
    h("button", { type: "button", class: "time", onclick: () => seek(u.start), "aria-label": `play from ${clock(u.start)}` }, clock(u.start)),
    h("span", { class: `said${u.is_stale ? " stale" : ""}` }, u.speaker ? h("span", { class: "speaker" }, `${u.speaker}: `) : null, u.transcript || "(no words)", u.agreement === "conflict" ? h("strong", { title: "the modalities contradict each other" }, " ≠") : null),
    u.is_stale ? h("span", { class: "badge" }, "…") : badge(u.sentiment, recording),
    h("button", { type: "button", class: "small", onclick: () => edit(u), "aria-label": `correct the utterance at ${clock(u.start)}` }, "Correct"),
  );
}

function edit(u) {
  if (editing !== null) showTranscript();
  editing = u.id;
  const item = $("transcript").querySelector(`[data-utterance="${u.id}"]`);
  const field = (name, label, properties) => h("label", {}, label, h("input", { name, ...properties }));
  const form = h(
    "form", { "aria-label": "correction", onsubmit: (event) => save(event, u) },
    h("label", {}, "Words", h("textarea", { name: "transcript", maxlength: 20000 }, u.transcript)),
    h(
      "div", { class: "row" },
      field("start", "From (s)", { type: "number", step: "0.01", min: "0", required: true, value: u.start.toFixed(2) }),
      field("end", "To (s)", { type: "number", step: "0.01", min: "0", required: true, value: u.end.toFixed(2) }),
      field("speaker", "Speaker", { maxlength: 200, value: u.speaker, size: 10 }),
    ),
    h(
      "div", { class: "row" },
      h("button", { class: "primary" }, "Keep and score again"),
      h("button", { type: "button", onclick: () => act(() => api(`/utterances/${u.id}/split`, "POST", { at: Number((player?.currentTime ?? 0).toFixed(2)) })) }, "Cut where the player stands"),
      h("button", { type: "button", onclick: () => act(() => api(`/utterances/${u.id}/merge`, "POST")) }, "Join with the next"),
      h("button", { type: "button", onclick: stop }, "Leave"),
    ),
  );
  form.addEventListener("keydown", (event) => event.key === "Escape" && stop());
  item.append(form);
  form.elements.transcript.focus();
}

function stop() {
  editing = null;
  showTranscript();
  current = null;
  follow();
}

async function act(action) {
  const done = await attempt(action);
  if (done === undefined) return;
  editing = null;
  await begin(load);
}

function save(event, u) {
  event.preventDefault();
  const said = event.target.elements;
  const change = { transcript: said.transcript.value, speaker: said.speaker.value };
  // Times are shown in hundredths; only those that were changed are sent.
  for (const name of ["start", "end"]) if (said[name].value !== u[name].toFixed(2)) change[name] = Number(said[name].value);
  act(() => api(`/utterances/${u.id}`, "PATCH", change));
}

function find() {
  const wanted = $("find").value.trim().toLowerCase();
  let first = null;
  for (const item of $("transcript").children) {
    const hit = wanted !== "" && item.querySelector(".said").textContent.toLowerCase().includes(wanted);
    item.classList.toggle("hit", hit);
    if (hit && !first) first = item;
  }
  if (first) $("transcript").scrollTop = first.offsetTop - $("transcript").offsetTop;
}

$("find").addEventListener("input", find);
$("in").addEventListener("click", () => timeline.zoomBy(1.6));
$("out").addEventListener("click", () => timeline.zoomBy(1 / 1.6));
$("again").addEventListener("click", () => act(() => api(`/recordings/${number}/score`, "POST")));
$("cancel").addEventListener("click", async () => {
  const status = await attempt(() => api("/status"));
  const mine = status?.jobs.find((each) => each.recording === number && each.kind === "score") ?? job;
  if (mine) act(() => api(`/jobs/${mine.id}/cancel`, "POST"));
});
$("delete").addEventListener("click", async () => {
  if (!confirm(`Delete ${recording.name} with its scores and labels? The file in the workspace goes too; yours, where it came from, stays.`)) return;
  const gone = await attempt(async () => (await api(`/recordings/${number}`, "DELETE")) ?? true);
  if (gone) location.assign("/");
});
$("about").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, collection } = event.target.elements;
  act(() => api(`/recordings/${number}`, "PATCH", { name: name.value, collection: collection.value }));
});
$("subtitles").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  act(async () => read(await fetch(`/api/v1/recordings/${number}/transcript?name=${encodeURIComponent(file.name)}`, { method: "PUT", body: file })));
});
const reload = gently(load);
listen(
  {
    heard: (news) => news.recording === number && reload(),
    job: (news) => {
      if (news.job.recording !== number || news.job.kind !== "score") return;
      job = news.job;
      if (job.state === "running" && job.progress !== null) $("facts").textContent = `${clock(recording?.duration ?? null)} · is being scored, ${percent(job.progress)}`;
      else reload();
    },
  },
  reload,
);
begin(load);
