package notify

import (
	"fmt"
	"strings"
)

// Bounds of a chat message. Slack takes 50 blocks, 3,000 characters in one, and about 13,000 in all; Teams takes 28 KB
// including its own overhead: https://api.slack.com/reference/block-kit/blocks and
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
const (
	chatHosts  = 8    // listed in one message
	chatText   = 1000 // bytes of text about one host
	chatHeader = 150  // bytes
)

// object is a JSON object in the receiver's schema.
type object map[string]any

// chat returns the changes that a chat message lists, and how many it leaves out.
func (m *Message) chat() (listed []change, more int) {
	if m.Test {
		return nil, 0
	}
	all := m.changes()
	n := min(len(all), chatHosts)
	return all[:n], len(all) - n
}

// headline returns the first line, for people.
func (m *Message) headline() string {
	if m.Test {
		return "ipcguard: " + m.lead()
	}
	return line(m.subject(), chatHeader)
}

// words returns the sections of a change as lines of bounded length.
func (c *change) words(m *Message) string {
	var b strings.Builder
	for _, s := range c.sections(m) {
		for i, l := range s.Lines {
			if i == 0 {
				b.WriteString(s.Label + ": ")
			} else {
				b.WriteString("  · ")
			}
			b.WriteString(l + "\n")
		}
	}
	out := strings.TrimSuffix(b.String(), "\n")
	if len(out) <= chatText {
		return out
	}
	cut := out[:chatText]
	return strings.ToValidUTF8(cut, "") + "…"
}

// rest says how many changes a chat message leaves out.
func (m *Message) rest(more int) string {
	if more+m.More == 0 {
		return ""
	}
	return fmt.Sprintf("And %d more %s.", more+m.More, plural(more+m.More, "host or change", "hosts or changes"))
}

// slackEscape escapes an address for Slack. slackPlain replaces what Slack takes for links and mentions by characters
// that look alike and are no longer, since Slack refuses texts that are too long.
var (
	slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	slackPlain  = strings.NewReplacer("&", "＆", "<", "‹", ">", "›")
)

// slack returns a message for an incoming webhook of Slack: a text for the notification and blocks for the channel.
// Texts that hosts chose are plain text, in which no character has a meaning.
func (m *Message) slack() any {
	plainText := func(s string) object {
		return object{"type": "plain_text", "text": slackPlain.Replace(s), "emoji": false}
	}
	blocks := []object{{"type": "header", "text": plainText(m.headline())}}
	listed, more := m.chat()
	for _, c := range listed {
		fields := object{
			"type": "section",
			"text": plainText(line(c.head(), maxHostText) + " · " + string(c.Severity) + "\n" + c.words(m)),
		}
		blocks = append(blocks, object{"type": "divider"}, fields)
		if c.URL != "" {
			blocks = append(blocks, object{
				"type": "context",
				"elements": []object{
					{"type": "mrkdwn", "text": "<" + slackEscape.Replace(c.URL) + "|Open in ipcguard>"},
				},
			})
		}
	}
	if s := m.rest(more); s != "" {
		blocks = append(blocks, object{"type": "section", "text": plainText(s)})
	}
	return object{"text": slackPlain.Replace(m.headline()), "blocks": blocks}
}

// teams returns a message for a workflow of Teams that posts what a webhook receives: one Adaptive Card. Texts that
// hosts chose are in text runs, which have no markup, and not in text blocks, which do.
func (m *Message) teams() any {
	run := func(text string, more object) object {
		out := object{"type": "TextRun", "text": text}
		for k, v := range more {
			out[k] = v
		}
		return object{"type": "RichTextBlock", "inlines": []object{out}}
	}
	body := []object{run(m.headline(), object{"weight": "bolder", "size": "medium"})}
	listed, more := m.chat()
	for _, c := range listed {
		items := []object{run(line(c.head(), maxHostText)+" · "+string(c.Severity), object{"weight": "bolder"})}
		for text := range strings.Lines(c.words(m)) {
			items = append(items, run(strings.TrimSuffix(text, "\n"), nil))
		}
		if c.URL != "" {
			items = append(items, object{
				"type":    "ActionSet",
				"actions": []object{{"type": "Action.OpenUrl", "title": "Open in ipcguard", "url": c.URL}},
			})
		}
		body = append(body, object{"type": "Container", "separator": true, "items": items})
	}
	if s := m.rest(more); s != "" {
		body = append(body, run(s, nil))
	}
	return object{"type": "message", "attachments": []object{{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil,
		"content": object{
			"$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
			"type":    "AdaptiveCard",
			"version": "1.2",
			"body":    body,
		},
	}}}
}
