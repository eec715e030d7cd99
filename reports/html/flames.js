// What is packed in the page: gzip in base64, unpacked when it is wanted.
async function unpack(script) {
  const bytes = Uint8Array.from(atob(script.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// The measures of reports/svg.go, in pixels.
const flameWidth = 1180, flameMargin = 10, flameChar = 7.3;

function fitName(name, width) {
  const chars = Math.floor((width - 6) / flameChar);
  if (chars < 3) return "";
  if (name.length <= chars) return name;
  const short = name.slice(name.search(/[^/]*(?:[([]|$)/));
  return short.length <= chars ? short : short.slice(0, chars - 1) + "…";
}

// zoomable enlarges the frame that is clicked to the whole width, with its callers below it.
function zoomable(svg, back) {
  const frames = [...svg.querySelectorAll("g")].map((g) => {
    const rect = g.querySelector("rect"), at = (name) => Number(rect.getAttribute(name));
    return { g, rect, text: g.querySelector("text"), x: at("x"), y: at("y"), width: at("width") };
  });
  const place = (f, x, width) => {
    f.rect.setAttribute("x", x);
    f.rect.setAttribute("width", width);
    const name = fitName(f.g.dataset.name, width);
    if (name && !f.text) {
      f.text = document.createElementNS(svg.namespaceURI, "text");
      f.text.setAttribute("y", f.y + 13);
      f.g.append(f.text);
    }
    if (!f.text) return;
    f.text.setAttribute("x", x + 3);
    f.text.textContent = name;
  };
  const show = (to) => {
    const scale = flameWidth / to.width, end = to.x + to.width;
    for (const f of frames) {
      const caller = f.y > to.y && f.x <= to.x + 0.01 && f.x + f.width >= end - 0.01;
      const inside = f.y <= to.y && f.x >= to.x - 0.01 && f.x + f.width <= end + 0.01;
      f.g.style.display = caller || inside ? "" : "none";
      if (caller) place(f, flameMargin, flameWidth);
      else if (inside) place(f, flameMargin + (f.x - to.x) * scale, f.width * scale);
    }
    back.hidden = to === frames[0];
  };
  for (const f of frames) f.g.addEventListener("click", () => show(f));
  back.onclick = () => show(frames[0]);
  back.hidden = true;
}

// flameGraphs shows one at a time, the first when it comes near the window.
function flameGraphs() {
  const place = document.getElementById("flame");
  if (!place) return;
  const functions = document.getElementById("flame-functions");
  const kind = document.getElementById("flame-kind"), model = document.getElementById("flame-model");
  const find = () => [...document.querySelectorAll(".flame-data")].find((s) => s.dataset.kind === kind.value && s.dataset.model === model.value);
  const show = async () => {
    const script = find();
    if (!script) {
      const p = document.createElement("p");
      p.className = "absent";
      p.textContent = "The profile of " + model.value + " has nothing of this kind.";
      place.replaceChildren(p);
      functions.replaceChildren();
      return;
    }
    const text = await unpack(script);
    if (script !== find()) return; // something else was chosen meanwhile
    const parsed = new DOMParser().parseFromString(text, "text/html");
    place.replaceChildren(parsed.querySelector("svg"));
    zoomable(place.firstElementChild, document.getElementById("flame-back"));
    functions.replaceChildren(parsed.querySelector("table"));
  };
  kind.addEventListener("change", show);
  model.addEventListener("change", show);
  const near = new IntersectionObserver((entries) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    near.disconnect();
    show();
  }, { rootMargin: "300px" });
  near.observe(place);
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
