// What all pages share: elements, calls of the API, numbers as people read them, and news from the server.

export const MODALITIES = ["text", "audio", "vision"];
export const NAMES = { multimodal: "all together", text: "text", audio: "voice", vision: "face" };

// Make an element; children are nodes or text, never markup, so that no name or transcript can become a script.
export function h(tag, properties = {}, ...children) {
  return dress(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function dress(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "muted") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const $ = (id) => document.getElementById(id);

export async function api(path, method = "GET", body = undefined) {
  const options = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, options);
  } catch {
    throw new Error("The server does not answer; is imlcmm serve still running?");
  }
  return read(answer);
}

export async function read(answer) {
  if (answer.status === 401) location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
  const content = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(content?.error ?? `The server answered ${answer.status}.`);
  return content;
}

// Say something for a while; what went wrong stays longer.
export function tell(message, seconds = 5) {
  const line = h("p", {}, message);
  $("told").append(line);
  setTimeout(() => line.remove(), seconds * 1000);
}

// Do something and say what went wrong.
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    tell(error.message, 10);
    return undefined;
  }
}

// Show the page when it has its content for the first time, or what went wrong; until then nothing can jump.
export async function begin(action) {
  await attempt(action);
  $("main").classList.remove("loading");
}

export function clock(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function signed(value, low = -1) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(2);
  return low < 0 ? (value < -0.005 ? `−${text}` : `+${text}`) : text;
}

export const counted = (count, one, several = `${one}s`) => `${count} ${count === 1 ? one : several}`;

export const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(100 * share)} %`);

// A colour for a sentiment: orange below neutral, blue above, which people who confuse red and green tell apart.
export function paint(value, scale) {
  const { low, high, neutral } = scale;
  const strength = value < neutral ? (neutral - value) / (neutral - low) : (value - neutral) / (high - neutral);
  const side = value < neutral ? "--negative" : "--positive";
  return `color-mix(in oklab, var(${side}) ${Math.round(25 + 75 * Math.min(1, strength))}%, var(--paper))`;
}

export function badge(value, scale) {
  const edge = 0.1 * (scale.high - scale.neutral);
  const side = value === null ? "" : value < scale.neutral - edge ? "neg" : value > scale.neutral + edge ? "pos" : "";
  return h("span", { class: `badge ${side}` }, signed(value, scale.low));
}

// News from the server while the page is looked at; a page that comes back asks for everything.
export function listen(handlers, reload) {
  let source = null;
  const open = () => {
    source = new EventSource("/api/v1/events");
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    }
    source.addEventListener("job", (event) => showWork(JSON.parse(event.data).job));
    source.addEventListener("reload", reload);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      open();
      reload();
      loadWork();
    }
  });
  open();
  loadWork();
}

// At most one call at a time, and one more if it was asked for meanwhile.
export function gently(action, pause = 400) {
  let waiting = false, running = false;
  return async function run() {
    if (running) {
      waiting = true;
      return;
    }
    running = true;
    try {
      await attempt(action);
      await new Promise((done) => setTimeout(done, pause));
    } finally {
      running = false;
      if (waiting) {
        waiting = false;
        run();
      }
    }
  };
}

const WORK = { score: "Scoring", preview: "Preparing the player", train: "Training", evaluate: "Comparing runs", adopt: "Loading the model", simulate: "Simulating clips", dataset: "Making a data set" };
const work = new Map();

async function loadWork() {
  const status = await api("/status").catch(() => null);
  if (!status) return;
  work.clear();
  for (const job of status.jobs) work.set(job.id, job);
  drawWork();
}

function showWork(job) {
  if (["running", "waiting"].includes(job.state)) work.set(job.id, job);
  else work.delete(job.id);
  drawWork();
}

function drawWork() {
  const running = [...work.values()].filter((job) => job.state === "running");
  const first = running[0];
  const others = work.size - 1;
  $("work").replaceChildren(
    ...(first
      ? [`${WORK[first.kind] ?? first.kind}${others > 0 ? ` and ${others} more` : ""}`, h("progress", { max: 1, value: first.progress ?? 0, "aria-label": "progress of the work" })]
      : work.size ? [`${work.size} waiting`] : []),
  );
  const bar = $("work").querySelector("progress");
  if (bar) bar.style.width = "6rem";
}
