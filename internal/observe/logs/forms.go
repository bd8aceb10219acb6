package logs

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Forwarders keep an event's names and values and put them elsewhere. Each of these forms becomes the one that
// Winlogbeat writes, {"@timestamp":…,"winlog":{"event_id":…,"event_data":{…}}}, or stays what newJSONEvent reads:
//
//	Wazuh            {"data":{"win":{"system":{"eventID":…},"eventdata":{"subjectUserSid":…}}}}
//	Elasticsearch    {"_source":{…}}, {"hits":{"hits":[{"_source":{…}}]}}
//	flattened        {"winlog.event_data.SubjectUserSid":…}, and with winlogbeat_ and underscores as Graylog has it
//	Splunk           {"result":{"_raw":…}}: XML, JSON or name=value
//	Sentinel         {"EventID":…,"EventData":"<EventData>…"}
//	Get-WinEvent     {"Id":…,"ProviderName":…,"Properties":[{"Value":…}],"Message":…}
//	Graylog          {"messages":[{"message":{…}}]}, and GELF, whose names begin with an underscore
//	Fluent Bit       {"EventID":…,"StringInserts":[…],"Message":…}
//	EvtxECmd         {"EventId":…,"Payload":"{\"EventData\":{\"Data\":[…]}}"}

// maxUnwrapped bounds the nesting of forms: an alert in a hit in an answer is three.
const maxUnwrapped = 4

// unwrap returns the records that a record contains.
func unwrap(m map[string]any, depth int) []map[string]any {
	if depth >= maxUnwrapped {
		return []map[string]any{m}
	}
	if o := object(m, "_source"); o != nil {
		return unwrap(o, depth+1)
	}
	if list, ok := object(m, "hits")["hits"].([]any); ok {
		var out []map[string]any
		for _, v := range list {
			if hit, ok := v.(map[string]any); ok {
				out = append(out, unwrap(hit, depth+1)...)
			}
		}
		return out
	}
	if list, ok := m["messages"].([]any); ok {
		var out []map[string]any
		for _, v := range list {
			one, _ := v.(map[string]any)
			if o := object(one, "message"); o != nil {
				one = o
			}
			if one != nil {
				out = append(out, unwrap(one, depth+1)...)
			}
		}
		return out
	}
	if m["_EventID"] != nil {
		return []map[string]any{gelf(m)}
	}
	if o := object(m, "result"); o != nil {
		return unwrap(o, depth+1)
	}
	for _, at := range []map[string]any{object(m, "data"), m} { // in an alert, or as the agent sends it
		if win := object(at, "win"); win != nil {
			return []map[string]any{wazuh(m, win)}
		}
	}
	if flat, ok := unflatten(m); ok {
		return []map[string]any{flat}
	}
	return []map[string]any{m}
}

// wazuh reverts what Wazuh's agent did to an event. Its names begin with small letters.
func wazuh(m, win map[string]any) map[string]any {
	system := object(win, "system")
	data := map[string]any{}
	for k, v := range object(win, "eventdata") {
		data[upperFirst(k)] = v
	}
	at := system["systemTime"]
	if jsonText(at) == "" {
		at = m["timestamp"]
	}
	return map[string]any{
		"@timestamp": at,
		"winlog": map[string]any{
			"event_id": system["eventID"], "provider_name": system["providerName"], "channel": system["channel"],
			"computer_name": system["computer"], "Keywords": system["keywords"], "EventType": system["severityValue"],
			"event_data": data,
		},
	}
}

// gelf removes the underscore from names that a sender added. See GELF's description, 1.1.
func gelf(m map[string]any) map[string]any {
	out := map[string]any{"Hostname": m["host"]}
	for k, v := range m {
		out[strings.TrimPrefix(k, "_")] = v
	}
	return out
}

// payload parses what EvtxECmd writes of an event's data.
func payload(text string) map[string]any {
	var p struct{ EventData map[string]any }
	if json.Unmarshal([]byte(text), &p) != nil {
		return nil
	}
	return p.EventData
}

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// unflatten nests names that contain dots, or Graylog's underscores.
func unflatten(m map[string]any) (map[string]any, bool) {
	winlog, data := map[string]any{}, map[string]any{}
	out := map[string]any{}
	for k, v := range m {
		name := strings.TrimPrefix(k, "winlogbeat_")
		for _, joint := range []string{".", "_"} {
			rest, ok := strings.CutPrefix(name, "winlog"+joint)
			if !ok {
				continue
			}
			if inner, ok := strings.CutPrefix(rest, "event_data"+joint); ok {
				data[inner] = v
			} else {
				winlog[rest] = v
			}
		}
		out[k] = v
	}
	if len(winlog) == 0 {
		return nil, false
	}
	winlog["event_data"] = data
	out["winlog"] = winlog
	if outcome := jsonText(m["event.outcome"]); outcome != "" {
		out["event"] = map[string]any{"outcome": outcome}
	}
	return out, true
}

// sentinelData parses the XML in the column EventData of a SecurityEvent.
func sentinelData(text string) map[string]any {
	var x struct {
		Data []struct {
			Name string `xml:"Name,attr"`
			Text string `xml:",chardata"`
		}
	}
	if xml.Unmarshal([]byte(text), &x) != nil {
		return nil
	}
	out := map[string]any{}
	for _, d := range x.Data {
		out[d.Name] = strings.TrimSpace(d.Text)
	}
	return out
}

// propertyNames are the names of events' data in order, which Get-WinEvent omits. See Microsoft's documents of each
// event; 4624 and 5140 of older systems have fewer at the end.
var propertyNames = map[int]string{
	4624: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId TargetUserSid TargetUserName " +
		"TargetDomainName TargetLogonId " +
		"LogonType LogonProcessName AuthenticationPackageName WorkstationName LogonGuid TransmittedServices LmPackageName KeyLength " +
		"ProcessId ProcessName IpAddress IpPort",
	4625: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId TargetUserSid TargetUserName " +
		"TargetDomainName Status " +
		"FailureReason SubStatus LogonType LogonProcessName AuthenticationPackageName WorkstationName TransmittedServices LmPackageName " +
		"KeyLength ProcessId ProcessName IpAddress IpPort",
	5140: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId ObjectType IpAddress IpPort ShareName " +
		"ShareLocalPath AccessMask AccessList",
	5145: "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId ObjectType IpAddress IpPort ShareName " +
		"ShareLocalPath " +
		"RelativeTargetName AccessMask AccessList AccessReason",
}

// properties names the values of Get-WinEvent; nil if that is impossible.
func properties(id int, list []any) map[string]any {
	names := strings.Fields(propertyNames[id])
	if len(names) == 0 || len(list) < len(names)-2 {
		return nil
	}
	out := map[string]any{}
	for i, v := range list[:min(len(list), len(names))] {
		value := v
		if o, ok := v.(map[string]any); ok {
			value = o["Value"]
		}
		if inner, ok := value.(map[string]any); ok { // a SID is an object
			value = inner["Value"]
		}
		text := jsonText(value)
		if n, ok := value.(json.Number); ok && strings.HasSuffix(names[i], "LogonId") {
			text = n.String()
		}
		out[names[i]] = text
	}
	return out
}

// form describes a record that is not understood by its keys, without its values.
func form(m map[string]any) string {
	const most, longest = 6, 24
	keys := slices.Sorted(maps.Keys(m))
	var shown []string
	for _, k := range keys[:min(len(keys), most)] {
		if len(k) > longest {
			k = strings.ToValidUTF8(k[:longest], "") + "…"
		}
		shown = append(shown, k)
	}
	if len(keys) > most {
		shown = append(shown, "…")
	}
	return strings.Join(shown, ", ")
}
