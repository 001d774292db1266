import { $, h, read, tell } from "./lib.js";

// Uploads by tus 1.0.0: in pieces, a few files at a time; what was begun goes on after a lost connection or a reload.
const PIECE = 8 << 20, AT_ONCE = 3, TRIES = 6;
const VERSION = { "Tus-Resumable": "1.0.0" };

export class Uploads {
  constructor(drop, list, done) {
    Object.assign(this, { list, done, waiting: [], running: 0 });
    this.media = drop.dataset.media.split(" ");
    this.subtitles = drop.dataset.subtitles.split(" ");
    for (const id of ["files", "folder"]) {
      $(id).addEventListener("change", (event) => {
        this.add([...event.target.files].map((file) => [file, file.webkitRelativePath || file.name]));
        event.target.value = "";
      });
    }
    for (const name of ["dragover", "dragenter"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.add("over");
      });
    }
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      this.add((await Promise.all(entries.map((entry) => inside(entry, "")))).flat());
    });
  }

  // Subtitles belong to the recording of their name and folder, which is scored when they are there too.
  add(files) {
    const ending = ([file]) => `.${file.name.split(".").pop().toLowerCase()}`;
    const texts = files.filter((one) => this.subtitles.includes(ending(one)));
    const others = files.filter((one) => !texts.includes(one) && !one[0].name.startsWith("._"));
    const media = others.length === 1 ? others : others.filter((one) => this.media.includes(ending(one)));
    const left = others.length - media.length;
    if (left > 0) tell(`${left} ${left === 1 ? "file is" : "files are"} no video or sound by the name, and left out.`);
    const stem = (path) => path.replace(/\.[^./]+$/, "");
    const taken = new Set();
    for (const [file, path] of media) {
      const text = texts.find(([, other]) => stem(other) === stem(path) || stem(stem(other)) === stem(path));
      taken.add(text);
      this.waiting.push(this.line(file, path, text?.[0]));
    }
    for (const one of texts.filter((each) => !taken.has(each))) {
      tell(`${one[0].name}: no recording of that name came with it; add it on the recording's own page.`, 8);
    }
    this.next();
  }

  line(file, path, text) {
    const bar = h("progress", { max: file.size, value: 0, "aria-label": `upload of ${file.name}` });
    const state = h("span", { class: "faint" }, "waits");
    const stop = h("button", { type: "button", class: "small", "aria-label": `Stop the upload of ${file.name}` }, "Stop");
    const item = h("li", {}, h("span", {}, path), bar, state, stop);
    const line = { file, path, text, bar, state, stop, item, stopped: false };
    stop.addEventListener("click", () => {
      line.stopped = true;
      line.abort?.abort();
    });
    this.list.append(item);
    return line;
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      const line = this.waiting.shift();
      this.send(line)
        .catch((error) => this.end(line, error.message, true))
        .finally(() => {
          this.running -= 1;
          this.next();
        });
    }
  }

  async send(line) {
    const key = `upload ${line.path} ${line.file.size} ${line.file.lastModified}`;
    for (let tries = 0; !line.stopped; tries += 1) {
      try {
        const { number, twice } = await this.goOn(line, key);
        localStorage.removeItem(key);
        if (line.text && !twice) await this.sendText(line, number);
        this.end(line, twice ? "was here already" : "is here");
        this.done();
        return;
      } catch (error) {
        if (line.stopped) break;
        if (error.final || tries >= TRIES) throw error;
        line.state.textContent = "lost the connection, tries again";
        await new Promise((wait) => setTimeout(wait, 500 * 2 ** tries));
      }
    }
    const place = localStorage.getItem(key);
    localStorage.removeItem(key);
    if (place) await fetch(place, { method: "DELETE", headers: VERSION }).catch(() => null);
    this.end(line, "stopped");
  }

  async goOn(line, key) {
    let place = localStorage.getItem(key), at = null;
    if (place) at = await this.offset(place);
    if (at === null) {
      place = await this.announce(line);
      localStorage.setItem(key, place);
      at = 0;
    }
    for (;;) {
      line.bar.value = at;
      line.state.textContent = `${Math.floor((100 * at) / line.file.size)} %`;
      line.abort = new AbortController();
      const answer = await fetch(place, {
        method: "PATCH", body: line.file.slice(at, at + PIECE), signal: line.abort.signal,
        headers: { ...VERSION, "Upload-Offset": String(at), "Content-Type": "application/offset+octet-stream" },
      });
      await finalUnlessBusy(answer);
      at = Number(answer.headers.get("Upload-Offset"));
      const number = answer.headers.get("Imlcmm-Recording");
      if (number) return { number: Number(number), twice: answer.headers.get("Imlcmm-Duplicate") === "true" };
    }
  }

  async offset(place) {
    const answer = await fetch(place, { method: "HEAD", headers: VERSION });
    return answer.ok ? Number(answer.headers.get("Upload-Offset")) : null;
  }

  async announce(line) {
    const folder = line.path.includes("/") ? line.path.split("/")[0] : "";
    const told = { filename: line.file.name, collection: $("into").value.trim() || folder, transcript: line.text && "follows" };
    const metadata = Object.entries(told).filter(([, value]) => value).map(([name, value]) => `${name} ${base64(value)}`);
    const answer = await fetch("/api/v1/uploads", {
      method: "POST", headers: { ...VERSION, "Upload-Length": String(line.file.size), "Upload-Metadata": metadata.join(",") },
    });
    await finalUnlessBusy(answer);
    return answer.headers.get("Location");
  }

  end(line, message, wrong = false) {
    line.bar.value = wrong ? line.bar.value : line.file.size;
    line.state.textContent = message;
    line.state.className = wrong ? "bad" : "faint";
    line.stop.remove();
    if (!wrong) setTimeout(() => line.item.remove(), 15000);
  }

  async sendText({ text }, number) {
    const place = `/api/v1/recordings/${number}`;
    try {
      await read(await fetch(`${place}/transcript?name=${encodeURIComponent(text.name)}`, { method: "PUT", body: text }));
    } catch (error) {
      tell(`${text.name}: ${error.message}; the recording is scored without it.`, 10);
      await fetch(`${place}/score`, { method: "POST" });
    }
  }
}

async function finalUnlessBusy(answer) {
  if (answer.ok) return;
  try {
    await read(answer);
  } catch (error) {
    error.final = ![409, 423, 429, 500, 502, 503].includes(answer.status);
    throw error;
  }
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

async function inside(entry, folder) {
  if (entry.isFile) {
    const file = await new Promise((done, fail) => entry.file(done, fail));
    return [[file, `${folder}${file.name}`]];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map((each) => inside(each, `${folder}${entry.name}/`)))).flat();
}
