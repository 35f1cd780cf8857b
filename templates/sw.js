/* Keeps the looks of the site and the check-in page on the phone, and sends what waits there.
   Pages that belong to anybody are never kept: what is in these caches was fetched without a session. */
const LOOKS = "looks-{{ version }}";
const SHELLS = "shells-{{ version }}";
const FILES = {{ files|safe }};
const OFFLINE = {{ offline|safe }};
const LOGOUT = {{ logout|safe }};
const CHECK_IN = /^\/b\/[^/]+\/check-in$/;
const PATIENCE = 6000;

importScripts({{ outbox|safe }});

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(LOOKS).then((cache) =>
    cache.addAll(FILES.map((file) => new Request(file, { credentials: "omit" })))));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (/^(looks|shells)-/.test(name) && name !== LOOKS && name !== SHELLS) await caches.delete(name);
    }
    await self.registration.navigationPreload?.enable();
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.mode === "navigate" && request.method === "GET") {
    event.respondWith(CHECK_IN.test(url.pathname) ? checkIn(event, url) : page(event));
  } else if (request.method === "POST" && url.pathname === LOGOUT) {
    event.waitUntil(caches.delete(SHELLS));
  } else if (request.method === "GET" && (FILES.includes(url.pathname) || /\/look\.[^/]+\.css$/.test(url.pathname))) {
    event.respondWith(fetch(request).catch(() => kept(request)));
  }
});

// A brand's check-in page, and its colours, as anybody gets them.
self.addEventListener("message", (event) => {
  if (!Array.isArray(event.data?.keep)) return;
  event.waitUntil(caches.open(SHELLS).then((cache) => Promise.all(event.data.keep.map(async (address) => {
    if (!(await cache.match(address))) await cache.add(new Request(address, { credentials: "omit" }));
  }))).catch(() => {}));
});

self.addEventListener("sync", (event) => {
  if (event.tag === "outbox") event.waitUntil(self.outbox.sendAll({ insist: true }).then(tell));
});

async function tell() {
  for (const client of await self.clients.matchAll()) client.postMessage("sent");
}

async function page(event) {
  try {
    return (await event.preloadResponse) || (await fetch(event.request));
  } catch {
    return kept(OFFLINE);
  }
}

// On a connection that hardly is one, the page that needs none comes soon enough.
async function checkIn(event, url) {
  const shell = await caches.match(`${url.pathname}/offline`, { ignoreVary: true });
  const live = Promise.resolve(event.preloadResponse).then((answer) => answer || fetch(event.request));
  if (!shell) return live.catch(() => kept(OFFLINE));
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, shell));
  return Promise.race([live.catch(() => shell), late]);
}

async function kept(request) {
  return (await caches.match(request, { ignoreVary: true })) || Response.error();
}
