// Forms with data-passkey ask the browser for a passkey before they are sent: data-options is where they ask what for. What
// the browser answers goes along in the form; nothing else happens here.
(() => {
	'use strict';
	const bytes = s => Uint8Array.from(atob(s.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
	const text = b => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
	const ids = list => (list || []).map(c => ({...c, id: bytes(c.id)}));

	// toJSON is what PublicKeyCredential.toJSON gives where browsers have it.
	const toJSON = c => {
		const r = c.response;
		const out = {id: c.id, rawId: text(c.rawId), type: c.type, clientExtensionResults: c.getClientExtensionResults(), response: {clientDataJSON: text(r.clientDataJSON)}};
		if (c.authenticatorAttachment) out.authenticatorAttachment = c.authenticatorAttachment;
		if (r.attestationObject) {
			out.response.attestationObject = text(r.attestationObject);
			out.response.transports = r.getTransports ? r.getTransports() : [];
		} else {
			out.response.authenticatorData = text(r.authenticatorData);
			out.response.signature = text(r.signature);
			if (r.userHandle) out.response.userHandle = text(r.userHandle);
		}
		return out;
	};

	const ask = async form => {
		const answer = await fetch(form.dataset.options, {method: 'POST', credentials: 'same-origin'});
		if (!answer.ok) throw new Error('The server asks for no passkey now.');
		const {options, state} = await answer.json();
		const o = options.publicKey;
		o.challenge = bytes(o.challenge);
		let made;
		if (form.dataset.passkey === 'create') {
			o.user.id = bytes(o.user.id);
			o.excludeCredentials = ids(o.excludeCredentials);
			made = await navigator.credentials.create({publicKey: o});
		} else {
			o.allowCredentials = ids(o.allowCredentials);
			made = await navigator.credentials.get({publicKey: o});
		}
		form.elements.state.value = state;
		form.elements.answer.value = JSON.stringify(toJSON(made));
	};

	for (const form of document.querySelectorAll('form[data-passkey]')) {
		const said = form.querySelector('[role=alert]');
		form.addEventListener('submit', event => {
			event.preventDefault();
			said.hidden = true;
			if (!window.PublicKeyCredential) {
				said.textContent = 'This browser has no passkeys.';
				said.hidden = false;
				return;
			}
			ask(form).then(() => form.submit(), error => {
				said.textContent = error.name === 'InvalidStateError' ? 'This passkey is there already.' : 'No passkey was given.';
				said.hidden = false;
			});
		});
	}
})();
