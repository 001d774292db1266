import { h } from "./lib.js";

// The element that plays a recording: its own file, or the copy that browsers can play.
export function makePlayer(recording, properties = {}) {
  const source = `/api/v1/recordings/${recording.id}/${recording.has_preview ? "preview" : "media"}`;
  const tag = recording.has_picture ? "video" : "audio";
  return h(tag, { src: source, controls: true, preload: "metadata", "aria-label": `player of ${recording.name}`, playsinline: true, ...properties });
}
