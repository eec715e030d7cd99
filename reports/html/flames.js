// What is packed in the page: gzip in base64, unpacked when it is wanted.
async function unpack(script) {
  const bytes = Uint8Array.from(atob(script.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// The measures of reports/svg.go, in pixels.
const flameWidth = 1180, flameMargin = 10, flameRow = 18, flameChar = 7.3, flameEdged = 4;

// columnsOf is how many characters a text is wide: what comes after Hangul Jamo may be two wide.
function columnsOf(text) {
  let n = 0;
  for (const c of text) n += c < "\u1100" ? 1 : 2;
  return n;
}

function fitName(name, width) {
  const columns = Math.floor((width - 6) / flameChar);
  if (columns < 3) return "";
  if (columnsOf(name) <= columns) return name;
  const short = [...name.slice(name.search(/[^/]*(?:[([]|$)/))];
  if (columnsOf(short) <= columns) return short.join("");
  while (columnsOf(short) >= columns) short.pop();
  return short.join("") + "…";
}

function framesOf(svg) {
  return [...svg.querySelectorAll("g")].map((g) => {
    const rect = g.querySelector("rect"), at = (name) => Number(rect.getAttribute(name));
    g.setAttribute("role", "button");
    g.tabIndex = -1;
    const [x, y, width] = ["x", "y", "width"].map(at);
    return { g, rect, text: g.querySelector("text"), x, y, width, left: x, wide: width, shown: true };
  });
}

// placeFrame gives a frame its place, with as much of its name as fits.
function placeFrame(f, left, wide) {
  Object.assign(f, { left, wide });
  f.rect.setAttribute("x", left);
  f.rect.setAttribute("width", wide);
  f.rect.classList.toggle("thin", wide < flameEdged);
  const name = fitName(f.g.dataset.name, wide);
  if (name && !f.text) {
    f.text = document.createElementNS("http://www.w3.org/2000/svg", "text");
    f.text.setAttribute("y", f.y + 13);
    f.g.append(f.text);
  }
  if (!f.text) return;
  f.text.setAttribute("x", left + 3);
  f.text.textContent = name;
}

// neighbours are where the arrow keys lead to: the widest callee, the caller, and what is left and right in the row.
const neighbours = {
  ArrowUp: (from, frames) => frames.filter((f) => f.y === from.y - flameRow && f.left >= from.left - 0.01 && f.left + f.wide <= from.left + from.wide + 0.01)
    .sort((a, b) => b.wide - a.wide)[0],
  ArrowDown: (from, frames) => frames.find((f) => f.y === from.y + flameRow && f.left <= from.left + 0.01 && f.left + f.wide >= from.left + from.wide - 0.01),
  ArrowLeft: (from, frames) => frames.filter((f) => f.y === from.y && f.left < from.left).sort((a, b) => b.left - a.left)[0],
  ArrowRight: (from, frames) => frames.filter((f) => f.y === from.y && f.left > from.left).sort((a, b) => a.left - b.left)[0],
  Home: (from, frames) => frames[0],
};

// zoomable draws a graph as wide as its box. The frame that is chosen has the whole width, with its callers below it;
// one frame is a stop of the Tab key, arrow keys go from frame to frame. It gives what fits it to its box again.
function zoomable(svg, place, back) {
  const frames = framesOf(svg), root = frames[0], byGroup = new Map(frames.map((f) => [f.g, f]));
  let zoomed = root, current = root;
  const stop = (f) => {
    current.g.tabIndex = -1;
    current = f;
    f.g.tabIndex = 0;
  };
  const show = (to) => {
    const width = place.clientWidth - 2 * flameMargin, scale = width / to.width, end = to.x + to.width;
    svg.setAttribute("width", place.clientWidth);
    svg.setAttribute("viewBox", `0 0 ${place.clientWidth} ${svg.getAttribute("height")}`);
    for (const f of frames) {
      const caller = f.y > to.y && f.x <= to.x + 0.01 && f.x + f.width >= end - 0.01;
      f.shown = caller || (f.y <= to.y && f.x >= to.x - 0.01 && f.x + f.width <= end + 0.01);
      f.g.style.display = f.shown ? "" : "none";
      if (caller) placeFrame(f, flameMargin, width);
      else if (f.shown) placeFrame(f, flameMargin + (f.x - to.x) * scale, f.width * scale);
    }
    zoomed = to;
    if (!current.shown) stop(to);
    back.hidden = to === root;
  };
  const whole = () => {
    show(root);
    current.g.focus();
  };
  const keys = { Enter: () => show(current), " ": () => show(current), Escape: whole };
  svg.addEventListener("click", (e) => byGroup.has(e.target.closest("g")) && show(byGroup.get(e.target.closest("g"))));
  svg.addEventListener("focusin", (e) => stop(byGroup.get(e.target)));
  svg.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey) return;
    const next = neighbours[e.key]?.(current, frames.filter((f) => f.shown));
    if (!next && !keys[e.key]) return;
    e.preventDefault();
    if (next) next.g.focus();
    else keys[e.key]();
  });
  back.onclick = whole;
  stop(root);
  show(root);
  return () => show(zoomed);
}

// flameGraphs shows one at a time, the first when it comes near the window, or to be printed: a page cannot wait for
// anything then, so that it is unpacked when there is time.
function flameGraphs() {
  const place = document.getElementById("flame");
  if (!place) return;
  const notes = document.getElementById("flame-notes"), functions = document.getElementById("flame-functions"), back = document.getElementById("flame-back");
  const kind = document.getElementById("flame-kind"), model = document.getElementById("flame-model");
  const find = () => [...document.querySelectorAll(".flame-data")].find((s) => s.dataset.kind === kind.value && s.dataset.model === model.value);
  const texts = new Map();
  const load = async (script) => { if (script && !texts.has(script)) texts.set(script, await unpack(script)); };
  let fit = () => {};
  const draw = (script) => {
    back.hidden = true;
    if (!script) {
      const p = document.createElement("p");
      p.className = "absent";
      p.textContent = "The profile of " + model.value + " has nothing of this kind.";
      place.replaceChildren(p);
      notes.replaceChildren();
      functions.replaceChildren();
      fit = () => {};
      return;
    }
    const parsed = new DOMParser().parseFromString(texts.get(script), "text/html");
    notes.replaceChildren(parsed.querySelector(".flame-notes"));
    place.replaceChildren(parsed.querySelector("svg"));
    functions.replaceChildren(parsed.querySelector("table"));
    fit = zoomable(place.firstElementChild, place, back);
    place.scrollTop = place.scrollHeight; // the root is at the bottom
  };
  const show = async () => {
    near.disconnect();
    const script = find();
    await load(script);
    if (script === find()) draw(script); // else something else was chosen meanwhile
  };
  const near = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && show(), { rootMargin: "300px" });
  near.observe(place);
  kind.addEventListener("change", show);
  model.addEventListener("change", show);
  (window.requestIdleCallback ?? setTimeout)(async () => {
    await load(find());
    performance.mark("weft-unpacked"); // for tests
  });
  addEventListener("beforeprint", () => place.childElementCount === 0 && (!find() || texts.has(find())) && draw(find()));
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === 0 || place.clientWidth === width) return;
    width = place.clientWidth;
    fit();
  }).observe(place);
}

function downloads() {
  for (const button of document.querySelectorAll("[data-download]")) {
    button.addEventListener("click", async () => {
      const script = document.getElementById(button.dataset.download);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([await unpack(script)], { type: script.dataset.type }));
      link.download = script.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  }
}
