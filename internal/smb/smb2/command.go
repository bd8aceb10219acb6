package smb2

import "fmt"

// Command is the code of a message. See [MS-SMB2] 2.2.1.2.
type Command uint16

// The commands.
const (
	Negotiate Command = iota
	SessionSetup
	Logoff
	TreeConnect
	TreeDisconnect
	Create
	Close
	Flush
	Read
	Write
	Lock
	IOCTL
	Cancel
	Echo
	QueryDirectory
	ChangeNotify
	QueryInfo
	SetInfo
	OplockBreak
	ServerNotify
	commands
)

var commandNames = [commands]string{
	"NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE", "FLUSH", "READ",
	"WRITE",
	"LOCK", "IOCTL", "CANCEL", "ECHO", "QUERY_DIRECTORY", "CHANGE_NOTIFY", "QUERY_INFO", "SET_INFO", "OPLOCK_BREAK",
	"SERVER_TO_CLIENT_NOTIFICATION",
}

// String is the command as the specification writes it.
func (c Command) String() string {
	if c < commands {
		return commandNames[c]
	}
	return fmt.Sprintf("0x%04X", uint16(c))
}

// The dialect revisions of [MS-SMB2] 2.2.3, and the wildcard that a server answers a multi-protocol negotiate with.
const (
	Dialect202      = 0x0202
	Dialect210      = 0x0210
	Dialect300      = 0x0300
	Dialect302      = 0x0302
	Dialect311      = 0x0311
	DialectWildcard = 0x02FF
)

// Statuses that decide how a response is laid out. See [MS-ERREF] 2.3.1.
const (
	statusSuccess                = 0x00000000
	statusNotifyEnumDir          = 0x0000010C
	statusBufferOverflow         = 0x80000005
	statusMoreProcessingRequired = 0xC0000016
)
