// Package web is the fleet on one page: what strangers get from every host, what changed, what would close it.
//
//	request ─► guard (headers, other origins, size) ─► session ─► routes: role? ─► page ─► template ─► clean ─► out
//
// The rules of the room:
//
//   - One page is one file (what it reads, what it shows) and one template. routes.go lists every path with the role that
//     it takes; nothing is served that is not in that table.
//   - Pages are HTML that works without a script. htmx only asks again for what moves. Nothing is built, nothing is
//     fetched from elsewhere, and no page holds a script or a style of its own: the content security policy forbids both.
//   - Names come from hosts and people that nobody trusts. html/template escapes them, and what leaves holds no character
//     that hides or turns the text around it.
//   - A page looks and never acts: acts are POST, from this origin, by somebody whose role allows it, and answered with a
//     redirect. What they do is in fleet/acts, and in fleet/access for accounts: this room decodes and shows, and holds the
//     store for reading alone.
//   - A colour never stands alone: there is a word beside it.
package web
