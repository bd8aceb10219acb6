package smb

import "time"

// negotiate2 sends the SMB2 NEGOTIATE and makes the backend; again tells that the server asked for it.
func (c *Conn) negotiate2(again bool, deadline time.Time) error {
	return broken("no SMB2 dialect to offer").at(layerNegotiate)
}

// negotiated2 goes on from a server's SMB2 answer to an SMB1 NEGOTIATE.
func (c *Conn) negotiated2(answer []byte, deadline time.Time) error {
	return c.negotiate2(true, deadline)
}
