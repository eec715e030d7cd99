// What is packed in the page: gzip in base64, unpacked when it is wanted.
async function unpack(script) {
  const bytes = Uint8Array.from(atob(script.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
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
