// What is packed in the page: gzip in base64, unpacked when it is wanted.
async function unpack(script) {
  const bytes = Uint8Array.from(atob(script.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// flameGraphs shows one at a time, the first when it comes near the window.
function flameGraphs() {
  const place = document.getElementById("flame");
  if (!place) return;
  const kind = document.getElementById("flame-kind"), model = document.getElementById("flame-model");
  const find = () => [...document.querySelectorAll(".flame-data")].find((s) => s.dataset.kind === kind.value && s.dataset.model === model.value);
  const show = async () => {
    const script = find();
    if (!script) {
      const p = document.createElement("p");
      p.className = "absent";
      p.textContent = "The profile of " + model.value + " has nothing of this kind.";
      place.replaceChildren(p);
      return;
    }
    const text = await unpack(script);
    if (script !== find()) return; // something else was chosen meanwhile
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    place.replaceChildren(document.importNode(svg, true));
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
