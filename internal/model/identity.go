package model

// Identity is the caller as the server sees it.
type Identity string

// The identities. The last three occur only in observed traffic.
const (
	Anonymous   Identity = "anonymous"    // null session
	Guest       Identity = "guest"        // the server said so
	UnknownUser Identity = "unknown-user" // a made-up name
	User        Identity = "user"         // credentials were given
	Machine     Identity = "machine"      // a computer account
	Unknown     Identity = "unknown"      // the logon was not seen
	Opaque      Identity = "opaque"       // encrypted, not readable
)

// Strangers returns the identities that never proved who they are, in report order.
func Strangers() []Identity { return []Identity{Anonymous, Guest, UnknownUser} }

// Identities returns the identities that a scan uses and the access model answers for: the strangers, then the user.
func Identities() []Identity { return append(Strangers(), User) }

// IsStranger reports whether the caller never proved who it is: a null session, a guest or a made-up name. Every
// package uses this definition. It is false for Unknown and Opaque, whose logon was not seen or cannot be read.
func (i Identity) IsStranger() bool {
	switch i {
	case Anonymous, Guest, UnknownUser:
		return true
	}
	return false
}

// Callers returns the subject of a sentence about callers with this identity.
func (i Identity) Callers() string {
	switch i {
	case Anonymous:
		return "anonymous callers"
	case Guest:
		return "guests"
	case UnknownUser:
		return "made-up users"
	case Machine:
		return "computer accounts"
	case User:
		return "signed-in users"
	}
	return "callers whose logon is not known"
}
