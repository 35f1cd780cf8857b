/*
 * Works out a form while somebody plays with it: what is sent is the form, what comes back is the same page, and of it
 * every [data-tried] with an id takes the place of the old one. Without this the form is sent by its button.
 */
const form = document.querySelector("form[data-try]");
const status = document.getElementById("status");

const PAUSE = 200; // nobody sees the states in between
const SILENCE = 900; // one sentence, once it stands still

let timer = 0;
let saying = 0;
let asking = null;

function soon() {
  clearTimeout(timer);
  timer = setTimeout(work, PAUSE);
}

async function work() {
  asking?.abort();
  asking = new AbortController();
  const address = new URL(form.action);
  address.hash = "";
  address.search = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(address, { signal: asking.signal });
    // What went wrong is told by the page itself, once the form is sent.
    if (!answer.ok) return;
    put(new DOMParser().parseFromString(await answer.text(), "text/html"));
    history.replaceState(null, "", address);
  } catch (error) {
    if (error.name !== "AbortError") form.dataset.try = "failed";
  }
}

function put(page) {
  for (const part of page.querySelectorAll("[data-tried][id]")) {
    document.getElementById(part.id)?.replaceWith(document.adoptNode(part));
  }
  clearTimeout(saying);
  saying = setTimeout(() => {
    status.textContent = document.querySelector("[data-says]")?.textContent.trim() ?? "";
  }, SILENCE);
}

form.addEventListener("input", (event) => {
  tell(event.target);
  soon();
});

// A slider's number beside it.
function tell(input) {
  const shown = input.id && form.querySelector(`output[for="${input.id}"]`);
  if (shown) shown.textContent = input.value;
}

// More and less count here at once, instead of loading the page.
form.addEventListener("click", (event) => {
  const button = event.target.closest("button[name='more'], button[name='less']");
  if (!button) return;
  const input = form.elements.namedItem(`n-${button.value}`);
  if (!input) return;
  event.preventDefault();
  if (button.name === "more") input.stepUp();
  else input.stepDown();
  soon();
});
