import { bars, lines } from "./charts.js";
import { $, api, attempt, badge, begin, clock, counted, gently, h, listen, percent, signed } from "./lib.js";

const sides = $("sides").elements;
const COLOURS = ["var(--text)", "var(--audio)"];

async function choices() {
  const page = await api("/recordings?limit=200&order=name");
  const recordings = page.recordings.filter(({ sentiment }) => sentiment !== null);
  const group = (label, options) => (options.length ? h("optgroup", { label }, ...options) : null);
  const list = () => [
    group("Collections", page.collections.map((name) => h("option", { value: `collection:${name}` }, name))),
    group("Recordings", recordings.map(({ id, name }) => h("option", { value: `recording:${id}` }, name))),
    h("option", { value: "all" }, "the whole library"),
  ].filter(Boolean);
  const wanted = new URLSearchParams(location.search);
  const before = [sides.a.value || wanted.get("a"), sides.b.value || wanted.get("b")];
  sides.a.replaceChildren(...list());
  sides.b.replaceChildren(h("option", { value: "" }, "nothing"), ...list());
  const first = page.collections.length > 1 ? page.collections.map((name) => `collection:${name}`) : recordings.map(({ id }) => `recording:${id}`);
  sides.a.value = before[0] ?? first[0] ?? "all";
  sides.b.value = before[1] ?? first[1] ?? "";
  $("nothing").hidden = recordings.length > 0;
  $("sides").hidden = $("contrast").hidden = !recordings.length;
  return recordings.length > 0;
}

async function show() {
  const wanted = new URLSearchParams({ a: sides.a.value });
  if (sides.b.value) wanted.set("b", sides.b.value);
  history.replaceState(null, "", `?${wanted}`);
  const found = await api(`/compare?${wanted}`);
  const both = [found.a, found.b].filter(Boolean);
  const per = (values) => both.map((side, place) => ({ name: side.name, colour: COLOURS[place], ...values(side) }));
  const bins = found.a.histogram.map((_, place) => found.low + ((place + 0.5) * (found.high - found.low)) / found.a.histogram.length);
  const speakers = [...new Set(both.flatMap((side) => Object.keys(side.speakers)))].sort();
  $("contrast").replaceChildren(
    h("div", { class: "sides" }, ...both.map((side, place) => card(side, found, COLOURS[place]))),
    difference(found),
    found.models.length > 1 ? h("p", { class: "notice bad" }, `The sides were scored by different models: ${found.models.join(", ")}. Score all with one.`) : "",
    h(
      "div", { class: "grid" },
      bars("How often each sentiment occurs", bins.map((bin, place) => (place % 3 === 0 || place === bins.length - 1 ? signed(bin, found.low) : "")), per((side) => ({ values: side.histogram })), { xLabel: "sentiment of utterances" }),
      lines("From beginning to end", per((side) => ({ points: side.over_time.map((value, place) => [place, value]) })), { low: found.low, high: found.high, zero: found.neutral, xLabel: "part of the recording", ticks: [[0, "begin"], [4.5, "middle"], [9, "end"]] }),
    ),
    speakers.length
      ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "table" }, h("table", {}, h("caption", {}, "Mean sentiment by speaker"), h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Speaker"), ...both.map(({ name }) => h("th", { scope: "col" }, name)))), h("tbody", {}, ...speakers.map((name) => h("tr", {}, h("th", { scope: "row" }, name), ...both.map((side) => h("td", {}, name in side.speakers ? badge(side.speakers[name], found) : "–")))))))
      : h("p", { class: "faint" }, "Name speakers in the transcript of a recording to see them apart here."),
  );
}

function card(side, scale, colour) {
  const title = h("h2", {}, side.name);
  title.style.borderBottom = `3px solid ${colour}`;
  const { negative, neutral, positive } = side.shares;
  return h(
    "section", { class: "card", "aria-label": side.name }, title,
    h("p", {}, badge(side.mean, scale), side.interval ? ` 95 %: ${signed(side.interval[0], scale.low)} to ${signed(side.interval[1], scale.low)}, over ${side.resampled}` : ""),
    h("p", {}, `negative ${percent(negative)}, neutral ${percent(neutral)}, positive ${percent(positive)} of the time`),
    h("p", { class: "faint" }, `${counted(side.recordings, "recording")}, ${counted(side.utterances, "utterance")}, ${clock(side.seconds)} of speech${side.conflicts === null ? "" : `, ${percent(side.conflicts)} with a conflict`}`),
  );
}

function difference(found) {
  if (found.difference === null) return "";
  const [low, high] = found.difference_interval;
  const apart = low > 0 || high < 0;
  const text = `${found.b.name} is ${signed(found.difference)} against ${found.a.name} (95 % from ${signed(low)} to ${signed(high)}): `;
  return h("p", { class: "notice" }, text, h("strong", {}, apart ? "more than chance would give." : "this cannot be told from chance."));
}

$("sides").addEventListener("change", () => attempt(show));
const reload = gently(async () => (await choices()) && show(), 2000);
listen({ job: ({ job }) => job.kind === "score" && job.state === "done" && reload() }, reload);
begin(async () => (await choices()) && show());
