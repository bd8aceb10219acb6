package dcerpc_test

import (
	"context"
	"fmt"
	"log"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/status"
)

// Bind first, then call: LsarGetUserName returns who the server thinks the caller is. The server here is the package's
// own, connected to the client without a network; over a network the client takes an open smb.Pipe instead.
func ExampleClient() {
	ctx := context.Background()
	endpoint := &dcerpc.Endpoint{Handlers: map[dcerpc.SyntaxID]dcerpc.Handler{dcerpc.LSARPC: whoAmI}}

	client := dcerpc.NewClient(endpoint.Pipe())
	results, err := client.Bind(ctx, dcerpc.LSARPC)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("bind:", results[0])

	lsa := dcerpc.LSAClient{Client: client}
	who, err := lsa.GetUserName(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the server sees", who.User.Text())

	// Refusals of the RPC layer are a status.Fault; those of a call have its own status.
	_, err = lsa.OpenPolicy2(ctx, "", 0x02000000)
	fmt.Println(err)
	// Output:
	// bind: accepted
	// the server sees ANONYMOUS LOGON
	// dcerpc: fault: nca_s_fault_access_denied
}

// whoAmI answers only LsarGetUserName.
func whoAmI(opnum uint16, _ []byte) ([]byte, error) {
	if opnum != dcerpc.OpLsarGetUserName {
		return nil, status.FaultAccessDenied
	}
	name := "ANONYMOUS LOGON"
	return dcerpc.AppendNDR(nil, &dcerpc.LsarGetUserNameResponse{User: &dcerpc.UnicodeString{Value: &name}}), nil
}
