import { h, svg } from "./lib.js";

const WIDTH = 440, HEIGHT = 230, LEFT = 46, BOTTOM = 34, TOP = 10, RIGHT = 12;

// A chart of lines: series have a name, a colour and points [x, y]; null breaks a line.
export function lines(title, series, { low = null, high = null, xLabel = "", ticks = null, zero = null } = {}) {
  const points = series.flatMap((each) => each.points).filter(([, y]) => y !== null);
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [y0, y1] = [low ?? Math.min(...ys), high ?? Math.max(...ys)];
  const x = (value) => LEFT + ((WIDTH - LEFT - RIGHT) * (value - x0)) / (x1 - x0 || 1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - y0) / (y1 - y0 || 1));
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  for (const value of [y0, (y0 + y1) / 2, y1]) {
    picture.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), stroke: "var(--line)", "stroke-width": value === zero ? 1.5 : 0.6 }));
    picture.append(svg("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  for (const [value, name] of ticks ?? whole(x0, x1)) picture.append(svg("text", { x: x(value), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, name));
  picture.append(svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, xLabel));
  for (const { colour, points: own, dash } of series) {
    const path = own.map(([px, py], i) => (py === null ? "" : `${i && own[i - 1][1] !== null ? "L" : "M"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`)).join("");
    picture.append(svg("path", { d: path, fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash ?? "none" }));
    for (const [px, py] of own.filter(([, value]) => value !== null)) if (own.length < 40) picture.append(svg("circle", { cx: x(px), cy: y(py), r: 2.5, fill: colour }));
  }
  return figure(title, picture, series);
}

// Bars side by side: groups have a name and a value for each series.
export function bars(title, names, series, { xLabel = "", unit = (value) => `${Math.round(100 * value)} %` } = {}) {
  const most = Math.max(...series.flatMap((each) => each.values), 0.01);
  const room = (WIDTH - LEFT - RIGHT) / names.length, each = (room * 0.8) / series.length;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  for (const value of [0, most / 2, most]) {
    picture.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), stroke: "var(--line)", "stroke-width": 0.6 }));
    picture.append(svg("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, unit(value)));
  }
  names.forEach((name, place) => {
    const left = LEFT + place * room + room * 0.1;
    if (name) picture.append(svg("text", { x: left + room * 0.4, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, name));
    series.forEach(({ values, colour }, which) => {
      picture.append(svg("rect", { x: left + which * each, y: y(values[place]), width: Math.max(1, each - 1), height: y(0) - y(values[place]), fill: colour }));
    });
  });
  picture.append(svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, xLabel));
  return figure(title, picture, series);
}

function figure(title, picture, series) {
  const keys = series.filter(({ name }) => name).map(({ name, colour }) => {
    const mark = h("i", {});
    mark.style.background = colour;
    return h("span", { class: "key" }, mark, name);
  });
  return h("figure", { class: "chart" }, picture, h("figcaption", {}, h("div", {}, title), ...keys));
}

function whole(low, high) {
  const step = Math.max(1, Math.ceil((high - low) / 8));
  const found = [];
  for (let value = Math.ceil(low); value <= high; value += step) found.push([value, String(value)]);
  return found;
}

function short(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2).replace("-", "−");
}

export const COLOURS = ["var(--text)", "var(--audio)", "var(--vision)", "var(--multimodal)", "var(--faint)"];
