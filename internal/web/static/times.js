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
			if (isNaN(at)) continue;
			t.dataset.zone = zone;
			const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
			const moment = date + ` ${two(at.getHours())}:${two(at.getMinutes())}`;
			if (/^\d{4}-\d\d-\d\d$/.test(t.textContent)) t.textContent = date;
			else if (/^\d{4}-\d\d-\d\d \d\d:\d\d$/.test(t.textContent)) {
				t.title = t.textContent + ' UTC' + (t.title ? ', ' + t.title : '');
				t.textContent = moment;
			} else t.title = moment + (t.title ? ', ' + t.title : ''); // "3 hours ago"
		}
	};
	local(document);
	const foot = document.getElementById('zone');
	if (foot) foot.textContent = 'times are in ' + zone;
	for (const swap of ['htmx:afterSwap', 'htmx:oobAfterSwap']) document.addEventListener(swap, e => local(e.target));
})();
