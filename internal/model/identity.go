package model

// Identity is who the caller is to the server.
type Identity string

// The identities. The last three occur in observed traffic alone.
const (
	Anonymous   Identity = "anonymous"    // null session
	Guest       Identity = "guest"        // the server said so
	UnknownUser Identity = "unknown-user" // a made-up name
	User        Identity = "user"         // credentials were given
	Machine     Identity = "machine"      // a computer account
	Unknown     Identity = "unknown"      // the logon was not seen
	Opaque      Identity = "opaque"       // encrypted, not readable
)

// Strangers lists those who never proved who they are, in the order in which reports show them.
func Strangers() []Identity { return []Identity{Anonymous, Guest, UnknownUser} }

// Identities lists whom a scan connects as and the access model answers for: the strangers, then the user.
func Identities() []Identity { return append(Strangers(), User) }

// IsStranger tells whether the caller never proved who it is: a null session, a guest or a made-up name. It is the one
// definition that every room uses. Where the logon was not seen or cannot be read (Unknown, Opaque) nobody knows, and
// the answer is no.
func (i Identity) IsStranger() bool {
	switch i {
	case Anonymous, Guest, UnknownUser:
		return true
	}
	return false
}

// Callers names those who come in this way, as the subject of a sentence.
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
