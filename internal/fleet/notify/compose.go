package notify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// compose builds an RFC 5322 message with a plain text and an HTML part. Every header value is generated here or
// encoded, so that no text of a host or an administrator can start another header.
func compose(from *mail.Address, to []*mail.Address, m *Message) ([]byte, error) {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	sum := sha256.Sum256([]byte(m.Channel + "\x00" + m.Key))
	id := hex.EncodeToString(sum[:16])
	if err := parts.SetBoundary("ipcguard-" + id); err != nil {
		return nil, err
	}
	all := make([]string, len(to))
	for i, a := range to {
		all[i] = a.String()
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", strings.Join(all, ",\r\n ")}, // one a line: RFC 5322 bounds lines
		{"Subject", mime.QEncoding.Encode("utf-8", m.subject())},
		{"Date", m.At.UTC().Format(time.RFC1123Z)},
		{"Message-ID", "<" + id + "@" + domain + ">"}, // the same for a retry
		{"Auto-Submitted", "auto-generated"},          // RFC 3834: no out-of-office replies
		{"MIME-Version", "1.0"},
		{"Content-Type", `multipart/alternative; boundary="` + parts.Boundary() + `"`},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	var page bytes.Buffer
	if err := mailPage.Execute(&page, m); err != nil {
		return nil, err
	}
	for _, p := range []struct{ kind, text string }{{"text/plain", plain(m)}, {"text/html", page.String()}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type": {p.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(w)
		if _, err := io.WriteString(q, strings.ReplaceAll(p.text, "\n", "\r\n")); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// plain returns the plain text part.
func plain(m *Message) string {
	var b strings.Builder
	b.WriteString(m.lead() + "\n")
	for _, c := range m.changes() {
		fmt.Fprintf(&b, "\n%s  [%s]\n", c.head(), c.Severity)
		for _, part := range c.sections(m) {
			for i, text := range part.Lines {
				label := ""
				if i == 0 {
					label = part.Label + ":"
				}
				fmt.Fprintf(&b, "  %-8s %s\n", label, text)
			}
		}
		if c.URL != "" {
			fmt.Fprintf(&b, "  %s\n", c.URL)
		}
	}
	if m.More > 0 {
		fmt.Fprintf(&b, "\nand %d more.\n", m.More)
	}
	if m.Base != "" {
		fmt.Fprintf(&b, "\n%s\n", m.Base)
	}
	fmt.Fprintf(&b, "\n-- \nipcguard, channel %s\n", line(m.Channel, 100))
	return b.String()
}

// lead returns the first sentence of a message.
func (m *Message) lead() string {
	switch n := len(m.Events) + m.More; {
	case m.Test:
		return "This is a test. Messages of this channel arrive here."
	case n == 1:
		return "One thing changed."
	case m.Digest:
		return fmt.Sprintf("%d things changed since the last digest.", n)
	default:
		return fmt.Sprintf("%d things changed.", n)
	}
}

// mailPage is the HTML part. It loads nothing, links only to the page, and is readable without its styles.
var mailPage = template.Must(template.New("mail").Funcs(template.FuncMap{
	"changes": (*Message).changes, "head": func(c change) string { return c.head() },
	"lead": (*Message).lead, "line": func(s string) string { return line(s, 100) },
	"sections": func(c change, m *Message) []section { return c.sections(m) },
}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>ipcguard</title></head>
<body style="font-family: sans-serif">
<p>{{lead .}}</p>
{{range $c := changes .}}<h3>{{head .}} [{{.Severity}}]</h3>
<table cellpadding="2" cellspacing="0">
{{range sections . $}}<tr><td valign="top"><b>{{.Label}}</b></td><td>{{range $n, $l := .Lines}}{{if $n}}<br>{{end}}{{$l}}{{end}}</td></tr>
{{end}}</table>
{{if .URL}}<p><a href="{{.URL}}">Open in ipcguard</a></p>{{end}}
{{end}}
{{if .More}}<p>and {{.More}} more.</p>{{end}}
{{if .Base}}<p><a href="{{.Base}}">{{.Base}}</a></p>{{end}}
<p>ipcguard, channel {{line .Channel}}</p>
</body></html>
`))
