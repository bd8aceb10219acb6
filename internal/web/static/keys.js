// An element with data-key is where that key leads to, unless somebody is typing.
(() => {
	'use strict';
	document.addEventListener('keydown', e => {
		if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]')) return;
		const to = [...document.querySelectorAll('[data-key]')].find(x => x.dataset.key === e.key);
		if (!to) return;
		e.preventDefault();
		to.focus();
		if (to.select) to.select();
	});
})();
