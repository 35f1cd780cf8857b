/*
 * Passkeys: asks the device for one, puts its answer into the form, and sends that. The server's wishes stand in the
 * page, or are fetched from where the form goes.
 */
const forms = window.PublicKeyCredential ? document.querySelectorAll("form[data-passkey]") : [];

for (const form of forms) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = form.querySelector("[data-wrong]");
    wrong.hidden = true;
    form.setAttribute("aria-busy", "true");
    try {
      const credential = await ask(form.dataset.passkey, form.action);
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch {
      form.removeAttribute("aria-busy");
      wrong.hidden = false;
    }
  });
}

async function ask(what, address) {
  if (what === "make") {
    const { publicKey } = wishes().creation_options;
    // It signs in by itself: so it is kept on the device, which checks who holds it.
    publicKey.authenticatorSelection = {
      ...publicKey.authenticatorSelection,
      residentKey: "required",
      requireResidentKey: true,
      userVerification: "required",
    };
    publicKey.challenge = bytes(publicKey.challenge);
    publicKey.user.id = bytes(publicKey.user.id);
    publicKey.excludeCredentials = known(publicKey.excludeCredentials);
    return told(await navigator.credentials.create({ publicKey }));
  }
  const { publicKey } = (what === "sign-in" ? await fetched(address) : wishes()).request_options;
  publicKey.challenge = bytes(publicKey.challenge);
  publicKey.allowCredentials = known(publicKey.allowCredentials);
  return told(await navigator.credentials.get({ publicKey }));
}

function wishes() {
  return JSON.parse(document.getElementById("passkey-wishes").textContent);
}

async function fetched(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}

function known(credentials = []) {
  return credentials.map((one) => ({ ...one, id: bytes(one.id) }));
}

function told(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const given = parts.filter((part) => response[part]).map((part) => [part, text(response[part])]);
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    response: { ...Object.fromEntries(given), transports: response.getTransports?.() },
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function bytes(base64url) {
  const letters = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const letters = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
