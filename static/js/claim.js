/*
 * The claim's photo: shown before it is sent, and made small first, so that it goes through a bad connection. What the
 * phone kept of a claim that was not taken comes back into the form.
 */
const LONGEST = 2000;
const form = document.querySelector("form[data-claim]");
const { photo, bought_on: day, bought_at: time, token } = form.elements;
const preview = form.querySelector("[data-preview]");

photo.addEventListener("change", async () => {
  const [file] = photo.files;
  if (!file) return show(null);
  show(file);
  const small = await shrink(file).catch(() => null);
  if (small && small.size < file.size && photo.files[0] === file) put(small);
});

function show(file) {
  URL.revokeObjectURL(preview.src);
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
  else preview.removeAttribute("src");
}

async function shrink(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.85));
}

function put(blob) {
  const files = new DataTransfer();
  files.items.add(new File([blob], "receipt.jpg", { type: blob.type }));
  photo.files = files.files;
}

// The time that the form proposes is that of now: on another day it would be made up.
const proposed = time.value;
day.addEventListener("change", () => {
  if (time.value === proposed) time.value = "";
});

const kept = location.hash.slice(1);
if (/^[0-9a-f-]{36}$/.test(kept)) {
  const entry = await window.outbox.get(kept).catch(() => null);
  for (const [name, value] of entry?.fields ?? []) {
    if (form.elements[name] && name !== "kept") form.elements[name].value = value;
  }
  for (const { type, bytes } of entry?.files ?? []) {
    const blob = new Blob([bytes], { type });
    put(blob);
    show(blob);
  }
  if (entry) token.value = entry.token;
}
