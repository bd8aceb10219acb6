package kerberos

import (
	"context"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"ipcguard/internal/ntlm/spnego"
)

// The token identifiers of RFC 4121 4.1.
const (
	tokenRequest  = 0x0100
	tokenReply    = 0x0200
	tokenError    = 0x0300
	bindingsLen   = 16
	checksumFlags = 0x02 | 0x04 | 0x08 | 0x10 | 0x20 // mutual, replay, sequence, confidentiality, integrity
)

// Client is one logon to one service. It is not safe for concurrent use.
type Client struct {
	credentials *Credentials
	service     string

	authenticator types.Authenticator
	ticketKey     types.EncryptionKey
	sessionKey    types.EncryptionKey
	started, done bool
}

// Client prepares a logon to a service, such as cifs/server.example.
func (c *Credentials) Client(service string) *Client {
	return &Client{credentials: c, service: service}
}

// String returns the principal and no secret.
func (c *Client) String() string { return c.credentials.String() }

// GoString returns String, so that no format verb shows a key.
func (c *Client) GoString() string { return c.String() }

// Mechanism returns the Kerberos OID.
func (c *Client) Mechanism() asn1.ObjectIdentifier { return spnego.OIDKerberos }

var errOrder = errors.New("kerberos: tokens out of order")

// Start gets the ticket, from the cache or from the realm, and returns the AP-REQ. The library cannot be cancelled; it
// times out after five seconds without a response.
func (c *Client) Start(ctx context.Context) (token []byte, err error) {
	defer guard(&err)
	if c.started {
		return nil, errOrder
	}
	c.started = true
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ticket, key, err := c.credentials.client.GetServiceTicket(c.service)
	if err != nil {
		return nil, fmt.Errorf("kerberos: ticket for %s: %w", c.service, err)
	}
	cl := c.credentials.client.Credentials
	a, err := types.NewAuthenticator(cl.Domain(), cl.CName())
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	etype, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	if err := a.GenerateSeqNumberAndSubKey(key.KeyType, etype.GetKeyByteSize()); err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	checksum := binary.LittleEndian.AppendUint32(nil, bindingsLen)
	checksum = append(checksum, make([]byte, bindingsLen)...)
	checksum = binary.LittleEndian.AppendUint32(checksum, checksumFlags)
	a.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: checksum}

	request, err := messages.NewAPReq(ticket, key, a)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	types.SetFlag(&request.APOptions, flags.APOptionMutualRequired)
	b, err := request.Marshal()
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	c.authenticator, c.ticketKey, c.sessionKey = a, key, a.SubKey
	return spnego.Frame(spnego.OIDKerberos, append(binary.BigEndian.AppendUint16(nil, tokenRequest), b...)), nil
}

// Next checks the AP-REP. It returns no token.
func (c *Client) Next(_ context.Context, token []byte) (_ []byte, err error) {
	defer guard(&err)
	if !c.started || c.done {
		return nil, errOrder
	}
	_, inner, err := spnego.Unframe(token)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	if len(inner) < 2 {
		return nil, errors.New("kerberos: an empty token")
	}
	switch id, body := binary.BigEndian.Uint16(inner), inner[2:]; id {
	case tokenReply:
		return nil, c.reply(body)
	case tokenError:
		var e messages.KRBError
		if err := e.Unmarshal(body); err != nil {
			return nil, fmt.Errorf("kerberos: %w", err)
		}
		return nil, fmt.Errorf("kerberos: the service refuses the ticket: %w", e)
	default:
		return nil, fmt.Errorf("kerberos: a token of kind 0x%04X", id)
	}
}

// reply verifies that the service decrypted our authenticator, and stores its key. See RFC 4120 3.2.4.
func (c *Client) reply(b []byte) error {
	var r messages.APRep
	if err := r.Unmarshal(b); err != nil {
		return fmt.Errorf("kerberos: %w", err)
	}
	plain, err := crypto.DecryptEncPart(r.EncPart, c.ticketKey, keyusage.AP_REP_ENCPART)
	if err != nil {
		return errors.New("kerberos: the service does not hold the key of the ticket")
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return fmt.Errorf("kerberos: %w", err)
	}
	if part.CTime.Unix() != c.authenticator.CTime.Unix() || part.Cusec != c.authenticator.Cusec {
		return errors.New("kerberos: the service answers another request")
	}
	if len(part.Subkey.KeyValue) > 0 {
		c.sessionKey = part.Subkey
	}
	c.done = true
	return nil
}

// SessionKey returns the session key, 16 or 32 bytes; nil before the service is authenticated.
func (c *Client) SessionKey() []byte {
	if !c.done {
		return nil
	}
	return c.sessionKey.KeyValue
}

// MIC signs the mechanism list for SPNEGO; nil before the service is authenticated.
func (c *Client) MIC(mechTypes []byte) []byte {
	if !c.done {
		return nil
	}
	m := gssapi.MICToken{
		Flags:     gssapi.MICTokenFlagAcceptorSubkey,
		SndSeqNum: uint64(c.authenticator.SeqNumber),
		Payload:   mechTypes,
	}
	if err := m.SetChecksum(c.sessionKey, keyusage.GSSAPI_INITIATOR_SIGN); err != nil {
		return nil
	}
	b, err := m.Marshal()
	if err != nil {
		return nil
	}
	return b
}

// VerifyMIC checks the service's signature of the mechanism list.
func (c *Client) VerifyMIC(mechTypes, mic []byte) (err error) {
	defer guard(&err)
	if !c.done {
		return errOrder
	}
	var m gssapi.MICToken
	if err := m.Unmarshal(mic, true); err != nil {
		return fmt.Errorf("kerberos: %w", err)
	}
	m.Payload = mechTypes
	if ok, err := m.Verify(c.sessionKey, keyusage.GSSAPI_ACCEPTOR_SIGN); !ok || err != nil {
		return errors.New("kerberos: wrong signature of the mechanisms")
	}
	return nil
}
