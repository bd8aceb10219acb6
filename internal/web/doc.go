// Package web is the fleet as web pages: what strangers get from every host, what changed, and what would close it.
//
//	request ─► guard (headers, other origins, size) ─► session ─► routes: role? ─► page ─► template ─► clean ─► out
//
// The rules of this package:
//
//   - One page is one file (what it reads, what it shows) and one template. routes.go lists every path with its role;
//     nothing else is served.
//   - Pages are HTML that works without scripts. htmx only refreshes what changes. There is no build step, nothing is
//     loaded from elsewhere, and no page contains an inline script or style: the content security policy forbids both.
//   - Names of hosts and people are untrusted. html/template escapes them, and the output contains no characters that
//     hide or reverse the text around them.
//   - A page reads and never acts: acts are POST, from this origin, by an account with the role, and answered with a
//     redirect. Acts are in fleet/acts, and in fleet/access for accounts: this package decodes and renders, and can
//     only read the store.
//   - A colour never stands alone: there is a word beside it.
package web
