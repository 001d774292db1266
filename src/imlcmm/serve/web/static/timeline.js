import { MODALITIES, NAMES, clock, paint, signed, svg } from "./lib.js";

const LEFT = 118, FUSED = 96, STRIP = 18, CUE = 30, GAP = 8, TOP = 18, STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];

// The lanes of a recording: fused sentiment with its intervals, a strip for each modality, and the measured cues.
export class Timeline {
  constructor(holder, seek) {
    Object.assign(this, { holder, seek, zoom: 1, second: 0 });
    holder.tabIndex = 0;
    holder.setAttribute("role", "slider");
    holder.setAttribute("aria-label", "Position in the recording");
    holder.setAttribute("aria-valuemin", "0");
    holder.addEventListener("click", (event) => {
      const place = event.clientX - holder.getBoundingClientRect().left + holder.scrollLeft;
      if (place > LEFT - 4) seek(Math.max(0, Math.min(this.duration, (place - LEFT) / this.scale)));
    });
    holder.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.recording && this.width !== holder.clientWidth && this.draw()).observe(holder);
  }

  key(event) {
    const starts = this.recording.utterance_list.map((utterance) => utterance.start);
    const to = {
      ArrowRight: starts.find((start) => start > this.second + 0.05),
      ArrowLeft: starts.findLast((start) => start < this.second - 0.3) ?? 0,
      Home: 0,
      End: starts.at(-1),
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.seek(to);
  }

  show(recording) {
    this.recording = recording;
    this.duration = recording.duration || recording.utterance_list.at(-1)?.end || 1;
    this.holder.setAttribute("aria-valuemax", this.duration.toFixed(1));
    this.draw();
  }

  zoomBy(factor) {
    this.zoom = Math.max(1, Math.min(this.zoom * factor, Math.max(1, (this.duration * 60) / this.holder.clientWidth)));
    this.draw();
    this.holder.scrollLeft = Math.max(0, this.x(this.second) - this.holder.clientWidth / 2);
  }

  x(second) {
    return LEFT + second * this.scale;
  }

  draw() {
    const { recording } = this;
    const utterances = recording.utterance_list;
    this.width = this.holder.clientWidth;
    this.scale = Math.max(10, this.width * this.zoom - LEFT - 12) / this.duration;
    const cues = Object.entries(recording.cue_units).filter(([name]) => utterances.some((u) => name in u.cues));
    const strips = TOP + FUSED + GAP;
    const lanes = strips + MODALITIES.length * (STRIP + 4) + GAP;
    this.height = lanes + cues.length * (CUE + 4) + 22;
    const width = Math.max(this.width * this.zoom, 200);
    const picture = svg("svg", { width, height: this.height, viewBox: `0 0 ${width} ${this.height}`, "aria-hidden": "true" });
    picture.append(svg("defs", {}, svg("pattern", { id: "nothing", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("rect", { width: 2, height: 6, fill: "var(--line)" }))));
    this.fused(picture, utterances);
    MODALITIES.forEach((m, i) => this.strip(picture, utterances, m, strips + i * (STRIP + 4)));
    cues.forEach(([name, unit], i) => this.cue(picture, utterances, name, unit, lanes + i * (CUE + 4)));
    this.axis(picture, this.height - 16);
    this.head = svg("line", { y1: 0, y2: this.height - 16, stroke: "var(--ink)", "stroke-width": 1.5 });
    picture.append(this.head);
    this.holder.replaceChildren(picture);
    this.at(this.second);
  }

  fused(picture, utterances) {
    const { low, high, neutral } = this.recording;
    const y = (value) => TOP + FUSED * ((high - value) / (high - low));
    for (const value of [low, neutral, high]) {
      picture.append(svg("line", { x1: LEFT, x2: this.x(this.duration), y1: y(value), y2: y(value), stroke: "var(--line)", "stroke-width": value === neutral ? 1.5 : 0.75 }));
      picture.append(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value === neutral ? "neutral" : signed(value, low)));
    }
    for (const u of utterances) {
      const [x, width] = [this.x(u.start), Math.max(1, (u.end - u.start) * this.scale - 1)];
      if (u.sentiment === null) {
        picture.append(svg("rect", { x, y: TOP, width, height: FUSED, fill: "url(#nothing)" }));
        continue;
      }
      const [top, bottom] = [Math.min(y(neutral), y(u.sentiment)), Math.max(y(neutral), y(u.sentiment))];
      picture.append(svg("rect", { x, y: top, width, height: Math.max(2, bottom - top), fill: paint(u.sentiment, this.recording) }, svg("title", {}, `${clock(u.start)} ${signed(u.sentiment, low)} ${u.transcript}`)));
      if (u.interval) {
        const middle = x + width / 2;
        picture.append(svg("path", { d: `M${middle} ${y(u.interval[0])}V${y(u.interval[1])}M${middle - 3} ${y(u.interval[0])}h6M${middle - 3} ${y(u.interval[1])}h6`, stroke: "var(--ink)", "stroke-width": 1, fill: "none", opacity: 0.65 }));
      }
      if (u.agreement === "conflict") picture.append(svg("text", { x: x + width / 2, y: TOP - 5, "text-anchor": "middle", fill: "var(--ink)", "font-weight": 700 }, "≠"));
    }
    picture.append(svg("text", { class: "lane-name", x: 4, y: TOP + 12, "font-weight": 600 }, "fused"));
  }

  strip(picture, utterances, modality, y) {
    picture.append(svg("text", { class: "lane-name", x: 4, y: y + 13 }, NAMES[modality]));
    for (const u of utterances) {
      const value = u.unimodal[modality];
      const box = { x: this.x(u.start), y, width: Math.max(1, (u.end - u.start) * this.scale - 1), height: STRIP };
      const says = value === undefined ? (u.missing[modality] ?? "nothing") : signed(value, this.recording.low);
      picture.append(svg("rect", { ...box, fill: value === undefined ? "url(#nothing)" : paint(value, this.recording), stroke: u.agreement === "conflict" && value !== undefined ? "var(--ink)" : "none" }, svg("title", {}, `${NAMES[modality]}: ${says}`)));
    }
  }

  cue(picture, utterances, name, unit, y) {
    const values = utterances.map((u) => u.cues[name]).filter((value) => value !== undefined);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const height = (value) => y + CUE - 3 - ((CUE - 6) * (value - low)) / (high - low || 1);
    const median = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
    picture.append(svg("text", { class: "lane-name", x: 4, y: y + 12 }, name));
    picture.append(svg("text", { x: 4, y: y + 24 }, high === low ? `${brief(high)} ${unit}` : `${brief(low)} to ${brief(high)} ${unit}`));
    picture.append(svg("line", { x1: LEFT, x2: this.x(this.duration), y1: height(median), y2: height(median), stroke: "var(--line)", "stroke-dasharray": "3 3" }));
    for (const u of utterances) {
      const value = u.cues[name];
      if (value === undefined) continue;
      picture.append(svg("rect", { x: this.x(u.start), width: Math.max(1, (u.end - u.start) * this.scale - 1), y: height(value) - 1.5, height: 3, fill: "var(--faint)" }, svg("title", {}, `${name}: ${brief(value)} ${unit} (median ${brief(median)})`)));
    }
  }

  axis(picture, y) {
    const step = STEPS.find((each) => each * this.scale > 60) ?? 3600;
    for (let second = 0; second <= this.duration; second += step) {
      picture.append(svg("line", { x1: this.x(second), x2: this.x(second), y1: y, y2: y + 4, stroke: "var(--faint)" }));
      picture.append(svg("text", { x: this.x(second), y: y + 14, "text-anchor": "middle" }, clock(second)));
    }
  }

  at(second) {
    this.second = second;
    const x = this.x(Math.min(second, this.duration));
    this.head?.setAttribute("x1", x);
    this.head?.setAttribute("x2", x);
    this.holder.setAttribute("aria-valuenow", second.toFixed(1));
    this.holder.setAttribute("aria-valuetext", clock(second));
    if (this.zoom > 1 && (x < this.holder.scrollLeft + LEFT || x > this.holder.scrollLeft + this.width - 20)) {
      this.holder.scrollLeft = x - this.width / 2;
    }
  }
}

export function brief(value) {
  return (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1)).replace("-", "−");
}
