/*
 * Forms that must not be lost. A form with data-outbox is kept on the phone before it is sent, and sent until the
 * server has answered. Its token makes it count once, however often it arrives. What one person kept is never sent for
 * another.
 *
 * No module, because the service worker reads it too, and not in every browser can that import modules.
 */
(() => {
  const PATIENCE = 90_000;

  // --- the store

  const opened = () => new Promise((resolve, reject) => {
    const request = indexedDB.open("laurel", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("outbox", { keyPath: "token" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

  async function store(mode, work) {
    const database = await opened();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction("outbox", mode);
        const request = work(transaction.objectStore("outbox"));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = transaction.onerror = () => reject(transaction.error);
      });
    } finally {
      database.close();
    }
  }

  const put = (entry) => store("readwrite", (box) => box.put(entry));
  const get = (token) => store("readonly", (box) => box.get(token));
  const all = () => store("readonly", (box) => box.getAll());
  const drop = (token) => store("readwrite", (box) => box.delete(token));

  // --- sending

  // What became of it: {url} taken, {reason} read and not taken, {stale} not even read, {} answered otherwise. Throws
  // where nobody answered.
  async function send(entry, csrf) {
    const body = new FormData();
    for (const [name, value] of entry.fields) body.append(name, value);
    for (const { name, file, type, bytes } of entry.files) body.append(name, new Blob([bytes], { type }), file);
    // How long ago, and not at what hour: the phone's clock may be wrong.
    body.set("waited", Math.max(0, Math.round((Date.now() - entry.at) / 1000)));
    const answer = await fetch(entry.action, {
      method: "POST",
      body,
      headers: { Accept: "application/json", "X-CSRFToken": csrf },
      signal: AbortSignal.timeout?.(PATIENCE),
    });
    if (!answer.headers.get("content-type")?.includes("json")) return { stale: answer.status === 403 };
    const said = await answer.json();
    return { ...said, later: !answer.ok };
  }

  async function ask(home) {
    const answer = await fetch(home, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
  }

  const alone = (work) => (navigator.locks ? navigator.locks.request("outbox", work) : work());

  // Sends all that may be sent now. Of what was taken, what and where stays until a page has told it. With insist it
  // throws where something still waits for a connection, so that the browser tries again.
  const sendAll = ({ insist = false } = {}) => alone(async () => {
    let failed = null;
    const waiting = (await all()).filter((entry) => !entry.reason && !entry.url);
    for (const home of new Set(waiting.map((entry) => entry.home))) {
      try {
        const { owner, csrf } = await ask(home);
        for (const entry of waiting) {
          if (entry.home !== home || (entry.owner && entry.owner !== owner)) continue;
          const { url, reason, later } = await send(entry, csrf);
          if (url) {
            await put({ ...entry, url, fields: [], files: [] });
          } else if (reason && !later) {
            await put({ ...entry, reason });
          }
        }
      } catch (error) {
        failed = error;
      }
    }
    if (failed && insist) throw failed;
  });

  self.outbox = { get, sendAll };
  if (!self.document) return;

  // --- on a page

  const box = document.getElementById("outbox");
  if (!box) return;
  const { home, worker, keep } = box.dataset;
  // A page that the phone itself kept knows nobody; the last one from the server does.
  if ("owner" in box.dataset) localStorage.setItem(home, box.dataset.owner);
  const owner = localStorage.getItem(home) ?? "";
  const isMine = (entry) => entry.home === home && (!entry.owner || entry.owner === owner);
  // An address with a token in it may have been left there by somebody else.
  self.outbox.get = async (token) => [await get(token)].find((entry) => entry && isMine(entry));

  function line(entry, kind) {
    const item = box.querySelector(`template.${kind}`).content.cloneNode(true);
    item.querySelector("b").textContent = entry.what;
    const time = item.querySelector("time");
    time.dateTime = new Date(entry.at).toISOString();
    time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, {
      weekday: "short", hour: "numeric", minute: "2-digit",
    }).format(entry.at);
    const said = item.querySelector(".reason");
    if (said) said.textContent = entry.reason;
    const link = item.querySelector("a");
    if (link) link.href = entry.url ?? `${entry.page}#${entry.token}`;
    item.querySelector("button")?.addEventListener("click", () => drop(entry.token).then(() => show()));
    return item;
  }

  const told = [];
  async function show() {
    const mine = (await all()).filter(isMine);
    for (const entry of mine.filter((one) => one.url)) {
      told.push(entry);
      await drop(entry.token);
    }
    const kept = mine.filter((entry) => !entry.url);
    box.querySelector("ul").replaceChildren(
      ...told.map((entry) => line(entry, "taken")),
      ...kept.map((entry) => line(entry, entry.reason ? "refused" : "waits")),
    );
    box.hidden = !box.querySelector("li");
    return kept;
  }

  function read(form, submitter) {
    const data = new FormData(form);
    if (submitter?.name) data.append(submitter.name, submitter.value);
    const entry = { at: Date.now(), home, owner, what: form.dataset.outbox, action: form.action, page: location.pathname, fields: [], files: [] };
    return Promise.all([...data].map(async ([name, value]) => {
      if (typeof value === "string") {
        if (name !== "csrfmiddlewaretoken") entry.fields.push([name, value]);
      } else if (value.size) {
        entry.files.push({ name, file: value.name, type: value.type, bytes: await value.arrayBuffer() });
      }
    })).then(() => ({ ...entry, token: data.get("token") }));
  }

  // As if there were no script: the server answers with a page.
  function submit(form, submitter) {
    if (!form.csrfmiddlewaretoken) {
      location.assign(`${form.action}?${new URLSearchParams({ code: form.code.value })}`);
      return;
    }
    if (submitter?.name) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name: submitter.name, value: submitter.value });
      form.append(input);
    }
    form.submit();
  }

  // Whoever signed in, in another tab, since the page was opened made its form too old; what belongs to nobody is theirs.
  async function sendNow(entry, csrf) {
    const answer = await send(entry, csrf);
    if (!answer.stale) return answer;
    const now = await ask(home);
    return entry.owner && entry.owner !== now.owner ? answer : send(entry, now.csrf);
  }

  let busy = false;
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    if (!form.dataset.outbox) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    form.setAttribute("aria-busy", "true");
    try {
      const entry = await read(form, submitter);
      await put(entry);
      try {
        const csrf = form.csrfmiddlewaretoken?.value ?? (await ask(home)).csrf;
        const { url, reason } = await sendNow(entry, csrf);
        if (url || reason) await drop(entry.token);
        if (url) location.assign(url);
        else submit(form, submitter);
      } catch {
        await wait(form);
      }
    } catch {
      submit(form, submitter); // there is no store, as in some private windows
    } finally {
      busy = false;
      form.removeAttribute("aria-busy");
    }
  });

  async function wait(form) {
    form.hidden = true;
    await show();
    document.getElementById("status").textContent = box.querySelector("h2").textContent;
    box.querySelector("h2").focus();
    box.scrollIntoView({ block: "center" });
    const registration = await navigator.serviceWorker?.getRegistration();
    await registration?.sync?.register("outbox").catch(() => {});
  }

  const again = () => sendAll().catch(() => {}).then(show).catch(() => {});
  addEventListener("online", again);
  navigator.serviceWorker?.addEventListener("message", again); // it has sent something
  for (const input of document.querySelectorAll('[data-outbox] [name="token"]')) {
    if (!input.value) input.value = crypto.randomUUID();
  }
  const code = new URLSearchParams(location.search).get("code");
  const field = document.querySelector("[data-offline] [name=code]");
  if (field && code) field.value = code;
  show().then((mine) => mine.length && again()).catch(() => {});

  if (worker && navigator.serviceWorker) {
    addEventListener("load", async () => {
      try {
        await navigator.serviceWorker.register(worker);
        const { active } = await navigator.serviceWorker.ready;
        active.postMessage({ keep: keep.split(" ") });
      } catch {
        // A browser that keeps nothing has the pages all the same.
      }
    });
  }
})();
