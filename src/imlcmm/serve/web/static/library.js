import { $, api, badge, begin, clock, counted, gently, h, listen, paint, svg } from "./lib.js";
import { Uploads } from "./uploads.js";

const filters = $("filters");
let shown = 30;

function query() {
  const wanted = new URLSearchParams(new FormData(filters));
  for (const [name, value] of [...wanted]) if (!value) wanted.delete(name);
  wanted.set("limit", String(shown));
  return wanted;
}

async function load() {
  const page = await api(`/recordings?${query()}`);
  $("rows").replaceChildren(...page.recordings.map(row));
  $("count").textContent = counted(page.total, "recording");
  $("more").hidden = page.total <= page.recordings.length;
  const filtered = [...query().keys()].some((name) => !["limit", "order"].includes(name));
  $("nothing").hidden = page.total > 0;
  $("nothing").textContent = filtered ? "Nothing matches; change the search or the filters." : "Nothing here yet. Add a recording above: a minute of speech takes about half a minute.";
  $("table").hidden = page.total === 0;
  fill(filters.elements.collection, page.collections);
  $("collections").replaceChildren(...page.collections.map((name) => h("option", { value: name })));
}

function fill(select, names) {
  const chosen = select.value;
  select.replaceChildren(h("option", { value: "" }, "all"), ...names.map((name) => h("option", { value: name }, name)));
  select.value = names.includes(chosen) ? chosen : "";
}

const STATES = { waiting: "waits its turn", running: "is being scored", done: "scored", failed: "failed", cancelled: "stopped" };

function row(recording) {
  const notes = [recording.utterances && counted(recording.utterances, "utterance"), recording.conflicts && `${recording.conflicts} with a conflict`];
  const state = recording.status === "failed" ? recording.failure : notes.filter(Boolean).join(", ");
  return h(
    "tr", { "data-recording": recording.id },
    h("th", { scope: "row" }, h("a", { href: `/recordings/${recording.id}` }, recording.name), h("small", {}, recording.collection || " ")),
    h("td", {}, clock(recording.duration)),
    h("td", {}, STATES[recording.status], h("span", { class: "state" }, state || " ")),
    h("td", {}, meter(recording), recording.sentiment === null ? h("small", {}, recording.status === "done" ? "no words were found" : " ") : badge(recording.sentiment, recording)),
    h("td", {}, spark(recording)),
  );
}

function meter(recording) {
  const picture = svg("svg", { class: "meter", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" });
  const place = (value) => (100 * (value - recording.low)) / (recording.high - recording.low);
  picture.append(svg("rect", { x: 0, y: 5, width: 100, height: 2, fill: "var(--line)" }));
  if (recording.sentiment !== null) {
    const [from, to] = [place(recording.neutral), place(recording.sentiment)];
    picture.append(svg("rect", { x: Math.min(from, to), y: 1, width: Math.max(2, Math.abs(to - from)), height: 10, fill: paint(recording.sentiment, recording) }));
  }
  return picture;
}

function spark(recording) {
  const points = recording.sparkline;
  const end = recording.duration || points.at(-1)?.end || 1;
  const height = (value) => 20 - (18 * (value - recording.neutral)) / Math.max(recording.high - recording.neutral, recording.neutral - recording.low);
  const picture = svg("svg", { class: "spark", viewBox: "0 0 240 40", preserveAspectRatio: "none", role: "img", "aria-label": points.length ? "course of the sentiment over time" : "not scored yet" });
  picture.append(svg("line", { x1: 0, x2: 240, y1: 20, y2: 20, stroke: "var(--line)", "stroke-width": 1 }));
  for (const point of points) {
    if (point.sentiment === null) continue;
    const y = height(point.sentiment);
    picture.append(svg("rect", { x: (240 * point.start) / end, width: Math.max(1.5, (240 * (point.end - point.start)) / end - 0.7), y: Math.min(20, y), height: Math.max(1.5, Math.abs(20 - y)), fill: paint(point.sentiment, recording) }));
  }
  return picture;
}

const reload = gently(load);
filters.addEventListener("input", reload);
filters.addEventListener("submit", (event) => event.preventDefault());
$("more").addEventListener("click", () => {
  shown = Math.min(200, shown + 30);
  reload();
});
new Uploads($("drop"), $("uploads"), reload);
listen({ heard: reload, job: ({ job }) => job.state !== "running" && reload() }, reload);
begin(load);
