package scan_test

import (
	"context"
	"fmt"
	"log"

	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
)

// A scan of one host ends in a verdict with what proves it. The host here is a practice server that behaves as Samba's
// defaults do.
func ExampleScanner_Run() {
	host, err := smbtest.NewHost("samba", "PRACTICE1")
	if err != nil {
		log.Fatal(err)
	}
	server, err := smbtest.Start("127.0.0.1:0", host)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	ctx := context.Background()
	list, err := targets.Parse(ctx, []string{server.Address()}, targets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	scanner, err := scan.New(scan.Options{NoUnknownUser: true, NoGuest: true})
	if err != nil {
		log.Fatal(err)
	}
	err = scanner.Run(ctx, list, nil, func(r *model.Scan) error {
		fmt.Println("verdict:", r.Verdict)
		for _, f := range r.Findings {
			if f.Identity == model.Anonymous && f.Pipe != "" {
				fmt.Println(f.Evidence)
			}
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// verdict: exposed
	// anonymous read 4 accounts through samr (SamrEnumerateUsersInDomain)
	// anonymous read 1 group through samr (SamrEnumerateGroupsInDomain)
	// anonymous read the password policy through samr (SamrGetDomainPasswordInformation)
	// anonymous read 6 security identifiers through lsarpc (LsarLookupSids)
	// anonymous read 4 shares through srvsvc (NetrShareEnum)
	// anonymous read 4 services through svcctl (REnumServicesStatusW)
	// anonymous read the registry through winreg (BaseRegQueryInfoKey)
	// anonymous read 1 printer through spoolss (RpcEnumPrinters)
}
