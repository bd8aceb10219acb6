package dcerpc

import "context"

// Security is packet security that another package implements (NTLM, Kerberos): tokens for the bind, and a signature or
// seal for each fragment. See [MS-RPCE] 3.3.1.5.2.
type Security interface {
	// Type and Level are the fields of the security trailer: AuthNTLM, AuthLevelPrivacy, ….
	Type() uint8
	Level() uint8
	// Token returns the next token for the server; in is nil at first, then the server's token. No token and no error
	// ends the exchange.
	Token(ctx context.Context, in []byte) ([]byte, error)
	// SignatureSize is the length of what Wrap returns.
	SignatureSize() int
	// Wrap signs packet, which is everything before the token with the final lengths, and at the level privacy encrypts
	// packet[from:to] (stub and padding) in place before or after that, as the mechanism requires.
	Wrap(packet []byte, from, to int) (signature []byte, err error)
	// Unwrap checks the signature and decrypts packet[from:to] in place.
	Unwrap(packet []byte, from, to int, signature []byte) error
}

// authAlign is the alignment of the stub before a trailer: [MS-RPCE] 2.2.2.11 requires 4, Windows and Samba pad to 16,
// the block that 2.2.2.12 mentions.
const authAlign = 16

// securityContext is the auth_context_id of a pipe's one security context; any number would do.
const securityContext = 79231

func (c *Client) authFor(stub int) *Auth {
	if c.security == nil || !c.secured {
		return nil
	}
	return &Auth{
		Type: c.security.Type(), Level: c.security.Level(), ContextID: securityContext,
		PadLength: uint8(-stub & (authAlign - 1)), Token: make([]byte, c.security.SignatureSize()),
	}
}

// seal puts the signature into a packet that has room for it.
func (c *Client) seal(packet []byte, auth *Auth) error {
	if auth == nil || auth.Level < AuthLevelIntegrity {
		return nil
	}
	end := len(packet) - len(auth.Token)
	signature, err := c.security.Wrap(packet[:end:end], headerSize+requestHead, end-trailerSize)
	if err != nil {
		return err
	}
	copy(packet[end:], signature)
	return nil
}

// requestHead is the part between header and stub in a request without an object and in a response.
const requestHead = 8

// open is the Reassembler's unwrap: it decrypts a private copy, because the bytes belong to the transport.
func (c *Client) open(packet []byte, p *PDU, stub []byte) ([]byte, error) {
	if !c.secured || c.security.Level() < AuthLevelIntegrity {
		return stub, nil
	}
	if !p.HasAuth {
		return nil, errNoSignature
	}
	own := append([]byte(nil), packet...)
	end := len(own) - int(p.AuthLength)
	if err := c.security.Unwrap(own[:end:end], headerSize+requestHead, end-trailerSize, own[end:]); err != nil {
		return nil, err
	}
	return own[headerSize+requestHead : headerSize+requestHead+len(stub)], nil
}
