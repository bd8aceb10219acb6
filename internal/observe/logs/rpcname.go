package logs

import (
	"ipcguard/internal/dcerpc"
)

// samrUUID is the Security Account Manager's interface. See [MS-SAMR] 1.9.
const samrUUID = "12345778-1234-abcd-ef00-0123456789ac"

// interfaceName returns the short name of an interface, "" if unknown.
func interfaceName(uuid string) string {
	u, err := dcerpc.ParseUUID(uuid)
	if err != nil {
		return ""
	}
	for _, i := range dcerpc.Interfaces() {
		if i.Syntax.UUID == u {
			return i.Name
		}
	}
	return ""
}
