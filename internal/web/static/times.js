// Times are written in UTC. Where the browser tells its zone they are shown in that, and the foot of the page says so; what
// stands in a zone of its own (data-zone) stays.
(() => {
	'use strict';
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	if (!zone) return;
	const two = n => String(n).padStart(2, '0');
	const local = root => {
		for (const t of root.querySelectorAll('time[datetime]:not([data-zone])')) {
			const at = new Date(t.dateTime);
			const day = /^\d{4}-\d\d-\d\d$/.test(t.textContent);
			if (isNaN(at) || !day && !/^\d{4}-\d\d-\d\d \d\d:\d\d$/.test(t.textContent)) continue;
			if (!day) t.title = t.textContent + ' UTC' + (t.title ? ', ' + t.title : '');
			t.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}` + (day ? '' : ` ${two(at.getHours())}:${two(at.getMinutes())}`);
			t.dataset.zone = zone;
		}
	};
	local(document);
	const foot = document.getElementById('zone');
	if (foot) foot.textContent = 'times are in ' + zone;
	for (const swap of ['htmx:afterSwap', 'htmx:oobAfterSwap']) document.addEventListener(swap, e => local(e.target));
})();
