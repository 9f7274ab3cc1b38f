// Asks the server what a passkey is to sign and the browser for the signature, and sends the form.
"use strict";
const form = document.getElementById("passkey");

async function sign() {
  const ticket = form.elements.ticket.value;
  const answer = await fetch("/api/v1/login/passkey/options", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(ticket ? { ticket } : {}),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(body.publicKey);
  const passkey = await navigator.credentials.get({ publicKey });
  form.elements.passkey.value = JSON.stringify(passkey.toJSON());
  form.submit();
}

if (form && window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sign().catch((error) => {
      form.querySelector("[role=alert]").textContent = "No passkey was used: " + error.message;
    });
  });
}
