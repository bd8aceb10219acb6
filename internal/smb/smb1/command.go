package smb1

import "fmt"

// Command is an SMB_COM code. See [MS-CIFS] 2.2.2.1.
type Command uint8

// The commands that have a struct here.
const (
	Close                 Command = 0x04
	Transaction           Command = 0x25
	TransactionSecondary  Command = 0x26
	Echo                  Command = 0x2B
	OpenAndX              Command = 0x2D
	ReadAndX              Command = 0x2E
	WriteAndX             Command = 0x2F
	Transaction2          Command = 0x32
	Transaction2Secondary Command = 0x33
	TreeConnect           Command = 0x70
	TreeDisconnect        Command = 0x71
	Negotiate             Command = 0x72
	SessionSetupAndX      Command = 0x73
	LogoffAndX            Command = 0x74
	TreeConnectAndX       Command = 0x75
	NTTransact            Command = 0xA0
	NTTransactSecondary   Command = 0xA1
	NTCreateAndX          Command = 0xA2
	NTCancel              Command = 0xA4
	NoAndX                Command = 0xFF // SMB_COM_NO_ANDX_COMMAND: the end of a chain
)

var commandNames = map[Command]string{
	0x00: "CREATE_DIRECTORY", 0x01: "DELETE_DIRECTORY", 0x02: "OPEN", 0x03: "CREATE", 0x04: "CLOSE", 0x05: "FLUSH",
	0x06: "DELETE", 0x07: "RENAME", 0x08: "QUERY_INFORMATION", 0x09: "SET_INFORMATION", 0x0A: "READ", 0x0B: "WRITE",
	0x0C: "LOCK_BYTE_RANGE", 0x0D: "UNLOCK_BYTE_RANGE", 0x0E: "CREATE_TEMPORARY", 0x0F: "CREATE_NEW",
	0x10: "CHECK_DIRECTORY", 0x11: "PROCESS_EXIT", 0x12: "SEEK", 0x13: "LOCK_AND_READ", 0x14: "WRITE_AND_UNLOCK",
	0x1A: "READ_RAW", 0x1B: "READ_MPX", 0x1C: "READ_MPX_SECONDARY", 0x1D: "WRITE_RAW", 0x1E: "WRITE_MPX",
	0x1F: "WRITE_MPX_SECONDARY", 0x20: "WRITE_COMPLETE", 0x21: "QUERY_SERVER", 0x22: "SET_INFORMATION2",
	0x23: "QUERY_INFORMATION2", 0x24: "LOCKING_ANDX", 0x25: "TRANSACTION", 0x26: "TRANSACTION_SECONDARY",
	0x27: "IOCTL", 0x28: "IOCTL_SECONDARY", 0x29: "COPY", 0x2A: "MOVE", 0x2B: "ECHO", 0x2C: "WRITE_AND_CLOSE",
	0x2D: "OPEN_ANDX", 0x2E: "READ_ANDX", 0x2F: "WRITE_ANDX", 0x31: "CLOSE_AND_TREE_DISC", 0x32: "TRANSACTION2",
	0x33: "TRANSACTION2_SECONDARY", 0x34: "FIND_CLOSE2", 0x35: "FIND_NOTIFY_CLOSE", 0x70: "TREE_CONNECT",
	0x71: "TREE_DISCONNECT", 0x72: "NEGOTIATE", 0x73: "SESSION_SETUP_ANDX", 0x74: "LOGOFF_ANDX",
	0x75: "TREE_CONNECT_ANDX", 0x7E: "SECURITY_PACKAGE_ANDX", 0x80: "QUERY_INFORMATION_DISK", 0x81: "SEARCH",
	0x82: "FIND", 0x83: "FIND_UNIQUE", 0x84: "FIND_CLOSE", 0xA0: "NT_TRANSACT", 0xA1: "NT_TRANSACT_SECONDARY",
	0xA2: "NT_CREATE_ANDX", 0xA4: "NT_CANCEL", 0xA5: "NT_RENAME", 0xC0: "OPEN_PRINT_FILE", 0xC1: "WRITE_PRINT_FILE",
	0xC2: "CLOSE_PRINT_FILE", 0xC3: "GET_PRINT_QUEUE", 0xD8: "READ_BULK", 0xD9: "WRITE_BULK",
	0xDA: "WRITE_BULK_DATA", 0xFE: "INVALID", 0xFF: "NO_ANDX_COMMAND",
}

// String is the name without SMB_COM_, or hexadecimal.
func (c Command) String() string {
	if n, ok := commandNames[c]; ok {
		return n
	}
	return fmt.Sprintf("0x%02X", uint8(c))
}

// AndX reports whether blocks of this command begin with a link to one more.
func (c Command) AndX() bool {
	switch c {
	case 0x24, OpenAndX, ReadAndX, WriteAndX, SessionSetupAndX, LogoffAndX, TreeConnectAndX, 0x7E, NTCreateAndX:
		return true
	}
	return false
}

// The subcommands of TRANSACTION on named pipes, first setup word. See [MS-CIFS] 2.2.2.2.
const (
	TransSetNmPipeState   uint16 = 0x01
	TransRawReadNmPipe    uint16 = 0x11
	TransQueryNmPipeState uint16 = 0x21
	TransQueryNmPipeInfo  uint16 = 0x22
	TransPeekNmPipe       uint16 = 0x23
	TransTransactNmPipe   uint16 = 0x26
	TransRawWriteNmPipe   uint16 = 0x31
	TransReadNmPipe       uint16 = 0x36
	TransWriteNmPipe      uint16 = 0x37
	TransWaitNmPipe       uint16 = 0x53
	TransCallNmPipe       uint16 = 0x54
)

// The names that TRANSACTION is sent to. See [MS-CIFS] 2.2.4.33.1.
const (
	PipePrefix     = `\PIPE\`
	LANMANPipe     = `\PIPE\LANMAN` // the Remote Administration Protocol of [MS-RAP]
	MailslotPrefix = `\MAILSLOT\`
)
