// flameGraphs is the viewer: kind × model × compare with. The first graph is drawn when it comes near the window, or to
// be printed: a page cannot wait for anything then, so that it is unpacked when there is time.
function flameGraphs() {
  const place = document.getElementById("flame");
  if (!place) return;
  const at = (name) => document.getElementById("flame-" + name);
  const [kind, model, other, color, search] = ["kind", "model", "other", "color", "search"].map(at);
  const loaded = new Map();
  const find = (of) => [...document.querySelectorAll(".flame-data")].find((s) => s.dataset.kind === kind.value && s.dataset.model === of);
  const load = async (script) => {
    if (script && !loaded.has(script)) loaded.set(script, JSON.parse(await unpack(script)));
  };
  const view = new FlameView(place, {
    details: (text) => (at("details").textContent = text),
    zoomed: (is) => (at("back").hidden = !is),
  });
  const tree = (data) => (at("leaves").checked ? leavesFirst(data) : topDown(data));
  const absent = (of) => {
    const p = document.createElement("p");
    p.className = "absent";
    p.textContent = "The profile of " + of + " has nothing of this kind.";
    return p;
  };
  const draw = (keep) => {
    const data = loaded.get(find(model.value)), with_ = other.value && loaded.get(find(other.value));
    at("details").textContent = at("found").textContent = "";
    at("legend").replaceChildren();
    if (!data) {
      view.nodes = [];
      place.replaceChildren(absent(model.value));
      at("notes").replaceChildren();
      at("back").hidden = true;
      return;
    }
    const nodes = tree(data), comparison = with_ ? compared(nodes, data, tree(with_), with_) : null;
    if (comparison) comparison.model = other.value;
    view.rootOnTop = at("top").checked;
    view.label = data.title;
    view.tip = (n) => tipOf(n, nodes[0], data.unit, comparison?.differences.get(n), comparison);
    view.color = comparison ? (n) => differenceClass(comparison.differences.get(n)) : frameColors[color.value];
    color.disabled = comparison !== null;
    notes(at("notes"), data, comparison ? `${data.title} compared with ${other.value}` : data.title, comparison ? comparisonNotes(comparison, data.count, with_.count) : other.value ? [{ text: absent(other.value).textContent, loud: true }] : []);
    legend(at("legend"), nodes, comparison, color.value);
    view.hits = found(nodes);
    view.show(nodes, keep);
  };
  const found = (nodes) => {
    const { hits, share } = matching(nodes, search.value);
    at("found").textContent = search.value.trim() === "" ? "" : `${formatShare(share)} matched, ${hits.size} ${hits.size === 1 ? "frame" : "frames"}`;
    return hits;
  };
  const chosen = () => [kind, model, other, color].map((c) => c.value).concat(at("top").checked, at("leaves").checked).join(" ");
  const show = async (keep) => {
    near.disconnect();
    const wanted = chosen();
    await Promise.all([find(model.value), other.value && find(other.value)].map(load));
    if (wanted !== chosen()) return; // something else was chosen meanwhile
    draw(keep);
    place.dataset.shown = wanted; // for tests
  };
  const near = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && show(), { rootMargin: "300px" });
  near.observe(place);
  for (const choice of [kind, model]) choice.addEventListener("change", () => show());
  for (const choice of [other, color, at("top")]) choice.addEventListener("change", () => show(true));
  at("leaves").addEventListener("change", () => show());
  search.addEventListener("input", () => {
    view.hits = found(view.nodes);
    view.draw();
  });
  at("back").addEventListener("click", () => {
    view.whole();
    view.frameOf(view.nodes[0]).g.focus();
  });
  (window.requestIdleCallback ?? setTimeout)(async () => {
    await load(find(model.value));
    performance.mark("weft-unpacked"); // for tests
  });
  addEventListener("beforeprint", () => place.childElementCount === 0 && (!find(model.value) || loaded.has(find(model.value))) && draw());
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === 0 || place.clientWidth === width) return;
    width = place.clientWidth;
    view.draw();
  }).observe(place);
}

function differenceClass(d) {
  return d.sign === 0 ? "same" : (d.sign > 0 ? "more" : "less") + d.level;
}

function paragraph(className, text) {
  const p = document.createElement("p");
  p.className = className;
  p.textContent = text;
  return p;
}

function notes(place, data, title, more) {
  place.replaceChildren(paragraph("title", title),
    ...[...data.notes, ...more].map((n) => paragraph(n.loud ? "note loud" : "note", n.text)));
}

// legend says what the colors mean, of those that there are.
function legend(place, nodes, comparison, by) {
  let keys = [];
  if (comparison && !comparison.known) keys = [["same", "noise not known"]];
  else if (comparison) keys = [["more3", "more, from 3x"], ["more2", "from 1.5x"], ["more1", "less than 1.5x"], ["same", "within the noise"], ["less1", "less"], ["less2", "from 1.5x"], ["less3", "from 3x"]];
  else if (by === "code") {
    const used = new Set(nodes.map(frameColors.code));
    keys = codeKinds.filter(([name]) => used.has(name));
  }
  place.replaceChildren(...keys.map(([name, text]) => {
    const item = document.createElement("li"), key = svgElement("svg", { class: "key", "aria-hidden": "true" });
    key.append(svgElement("rect", { class: name, width: 12, height: 12 }));
    item.append(key, text);
    return item;
  }));
}

// payers shows one model's table at a time.
function payers() {
  const model = document.getElementById("payers-model");
  if (!model) return;
  for (const table of document.querySelectorAll("#who-pays table")) sortable(table);
  model.addEventListener("change", () => {
    for (const part of document.querySelectorAll("#who-pays [data-payers]")) part.hidden = part.dataset.payers !== model.value;
  });
}
