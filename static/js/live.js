/*
 * Keeps a customer's page up to date while somebody looks at it.
 *
 * One stream says which revision of the score is the newest. When the page shows an older one it fetches itself, puts
 * what changed in place in every [data-live] with an id, and says one sentence in #status. Where there is no stream,
 * the page asks every few seconds instead, and tries the stream again later. Nothing is open while the page is hidden.
 */
const live = document.getElementById("live").dataset;
const status = document.getElementById("status");

const SOON = 500;
const ASK = 5_000;
const FIRST_WORD = 10_000; // a stream says something at once
const SILENCE = 50_000; // and then again every 20 seconds
const RETRY = 60_000; // after a stream is not to be had, again and again
const GAP = 1_000; // between two changes, so that each is seen and heard
const ROLL = 600;

let stream = null;
let tried = 0;
let timer = 0;
let failures = 0; // streams that said nothing, one after the other
let misses = 0; // questions without an answer
let shown = Number(live.revision);
let newest = shown;
let isFetching = false;

// --- hearing of changes

function listen() {
  tried = Date.now();
  if (!window.EventSource) return lose();
  stream = new EventSource(`${live.stream}?ticket=${encodeURIComponent(live.ticket)}`);
  stream.onmessage = (message) => {
    failures = 0;
    expect(SILENCE);
    heard(Number(message.data));
  };
  stream.onerror = lose;
  expect(FIRST_WORD);
}

function expect(time) {
  clearTimeout(timer);
  timer = setTimeout(lose, time);
}

function lose() {
  hush();
  failures += 1;
  askLater();
}

function hush() {
  clearTimeout(timer);
  stream?.close();
  stream = null;
}

// Soon, then less and less often; and not all pages of a server that was started again at the same moment.
function askLater() {
  clearTimeout(timer);
  timer = setTimeout(ask, Math.min(SOON * 2 ** (failures + misses - 1), ASK) * (1 + Math.random()));
}

async function ask() {
  hush();
  try {
    const answer = await fetch(live.state, { cache: "no-store", redirect: "manual" });
    if (document.hidden || stream) return;
    if (answer.ok) {
      const { revision, ticket } = await answer.json();
      misses = 0;
      live.ticket = ticket;
      heard(revision);
      if (failures < 4 || Date.now() - tried > RETRY) return listen();
    } else if (answer.type === "opaqueredirect") {
      return location.reload(); // signed out: what is shown here is for nobody any more
    } else if (answer.status < 500 && answer.status !== 429) {
      return;
    } else {
      misses += 1;
    }
  } catch {
    misses += 1; // no network, or no server
  }
  if (!document.hidden) askLater();
}

function wake() {
  if (document.hidden || stream) return;
  failures = misses = 0;
  ask();
}

// --- showing them

function heard(revision) {
  newest = Math.max(newest, revision);
  if (newest > shown && !isFetching) catchUp();
}

async function catchUp() {
  isFetching = true;
  const asked = newest;
  let pause = GAP;
  try {
    const answer = await fetch(location.href, {
      cache: "no-store",
      redirect: "manual",
      headers: { "Laurel-Shown": live.score },
    });
    if (answer.ok) {
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      // What was heard of was written before, so it is in the page, whatever the page says.
      shown = Math.max(asked, Number(live.revision));
    } else if (answer.status < 500) {
      shown = asked; // a page that is no more, or that cannot be had like this
    } else {
      pause = ASK;
    }
  } catch {
    pause = ASK;
  }
  setTimeout(() => {
    isFetching = false;
    if (newest > shown && !document.hidden) catchUp();
  }, pause);
}

function show(page) {
  const now = page.getElementById("live")?.dataset;
  if (!now) return;
  const focused = document.activeElement;
  for (const region of document.querySelectorAll("[data-live][id]")) {
    const fresh = page.getElementById(region.id);
    if (fresh && !region.parentElement.closest("[data-live]")) moving(region, () => morph(region, fresh));
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  const said = page.getElementById("status").textContent.trim() || now.news;
  if (said) status.textContent = said;
  Object.assign(live, now);
}

// --- putting them in place

// What makes an element the same one as before: its id or key, or for a list's item where it leads.
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  return node.id || node.dataset.key || (node.localName === "li" && node.querySelector("a[href]")?.getAttribute("href")) || "";
}

// Turn one element into another and keep whatever stays: focus, open details, what is typed, transitions.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !(name === "open" && old.localName === "details")) old.setAttribute(name, value);
  }
  if (old.hasAttribute("data-roll")) return roll(old, fresh.textContent);
  const keyed = new Map([...old.children].map((child) => [keyOf(child), child]));
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    let same = key ? keyed.get(key) : at;
    while (!key && same && keyOf(same)) same = same.nextSibling;
    if (!same || same.nodeName !== wanted.nodeName) {
      old.insertBefore(document.importNode(wanted, true), at);
      continue;
    }
    keyed.delete(key);
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    if (same.nodeType === Node.ELEMENT_NODE) morph(same, wanted);
    else if (same.data !== wanted.data) same.data = wanted.data;
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// Each digit that changes gives way to the next one, once. The text is the new number from the first moment.
function roll(element, text) {
  const before = element.textContent;
  if (before === text) return;
  element.replaceChildren(
    ...[...text].map((digit, place) => {
      const was = before.at(place - text.length) ?? "";
      if (was === digit || before.length < text.length - place) return digit;
      // Names of their own, so that no rule for other elements in there touches them.
      const cell = document.createElement("roll-digit");
      cell.dataset.was = was;
      cell.append(Object.assign(document.createElement("roll-now"), { textContent: digit }));
      return cell;
    }),
  );
  setTimeout(() => (element.textContent = text), ROLL + 50);
}

// Whatever has a data-key glides from where it was to where it is.
function moving(region, change) {
  const before = new Map([...region.querySelectorAll("[data-key]")].map((one) => [one, one.getBoundingClientRect().top]));
  change();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const [one, top] of before) {
    const by = one.isConnected ? top - one.getBoundingClientRect().top : 0;
    if (by) one.animate([{ translate: `0 ${by}px` }, { translate: "none" }], { duration: ROLL, easing: "ease-out" });
  }
}

// --- as long as somebody looks

if (document.querySelector("[data-live][id]")) {
  document.addEventListener("visibilitychange", () => (document.hidden ? hush() : wake()));
  addEventListener("pagehide", hush);
  addEventListener("pageshow", (event) => event.persisted && wake());
  addEventListener("online", wake);
  if (!document.hidden) listen();
}
