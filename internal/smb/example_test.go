package smb_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/status"
)

// practice starts a server in this process that behaves as a product does.
func practice(profile string) *smbtest.Server {
	host, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		log.Fatal(err)
	}
	s, err := smbtest.Start("127.0.0.1:0", host)
	if err != nil {
		log.Fatal(err)
	}
	return s
}

// A null session opens a pipe of a server that behaves as Samba's defaults do.
func Example() {
	s := practice("samba")
	defer s.Close()
	ctx := context.Background()

	c, err := smb.Dial(ctx, s.Address(), smb.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println("dialect", c.Negotiated().Dialect)

	session, err := c.SessionSetup(ctx, ntlm.NewAnonymous(ntlm.Options{}))
	if err != nil {
		log.Fatal(err)
	}
	tree, err := session.TreeConnect(ctx, "IPC$")
	if err != nil {
		log.Fatal(err)
	}
	pipe, err := tree.OpenPipe(ctx, "lsarpc")
	if err != nil {
		log.Fatal(err)
	}
	defer pipe.Close(ctx)
	fmt.Println("lsarpc is open to a null session")
	// Output:
	// dialect 3.1.1
	// lsarpc is open to a null session
}

// A refusal is a status; what is no answer at all is a TransportError. The two are never confused.
func ExampleTransportError() {
	s := practice("win2022")
	ctx := context.Background()
	judge := func(err error) {
		var refused status.NTStatus
		var lost *smb.TransportError
		switch {
		case errors.As(err, &refused):
			fmt.Println("refused:", refused)
		case errors.As(err, &lost):
			fmt.Printf("no answer at layer %s: %s\n", lost.Layer, lost.Reason)
		}
	}

	c, err := smb.Dial(ctx, s.Address(), smb.Options{Dialects: []smb.Dialect{smb.SMB210}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.SessionSetup(ctx, ntlm.NewGuest(ntlm.Options{}))
	judge(err)

	s.Close()
	_, err = smb.Dial(ctx, s.Address(), smb.Options{})
	judge(err)
	// Output:
	// refused: STATUS_LOGON_FAILURE
	// no answer at layer connect: connection refused
}
