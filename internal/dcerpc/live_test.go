package dcerpc

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/peer"
	"ipcguard/internal/status"
)

// carrier is a Transport through impacket: see testdata/carry.py. The package's tests may not import package smb.
type carrier struct {
	in  io.Writer
	out *bufio.Reader
}

func carry(t *testing.T, s *peer.Samba, user, password string) *carrier {
	t.Helper()
	peer.Need(t, "impacket")
	script, err := os.ReadFile("testdata/carry.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.Command(t.Context(), "/usr/bin/python3", "-I", "-c", string(script), s.Address, strconv.Itoa(s.Port), user,
		password)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &carrier{in, bufio.NewReader(out)}
}

func (c *carrier) do(op byte, data []byte) ([]byte, error) {
	head := binary.LittleEndian.AppendUint32([]byte{op}, uint32(len(data)))
	if _, err := c.in.Write(append(head, data...)); err != nil {
		return nil, err
	}
	var answer [5]byte
	if _, err := io.ReadFull(c.out, answer[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.LittleEndian.Uint32(answer[1:]))
	if _, err := io.ReadFull(c.out, b); err != nil {
		return nil, err
	}
	if answer[0] != 0 {
		return nil, errors.New(string(b))
	}
	return b, nil
}

func (c *carrier) Transact(ctx context.Context, in []byte, max int) ([]byte, error) {
	if _, err := c.Write(ctx, in); err != nil {
		return nil, err
	}
	b, _, err := c.Read(ctx, max)
	return b, err
}

func (c *carrier) Write(_ context.Context, b []byte) (int, error) {
	_, err := c.do('W', b)
	return len(b), err
}

func (c *carrier) Read(_ context.Context, max int) ([]byte, bool, error) {
	b, err := c.do('R', binary.LittleEndian.AppendUint32(nil, uint32(max)))
	return b, false, err
}

// bind opens a pipe and binds to one interface of it; the pipe closes with the test.
func (c *carrier) bind(t *testing.T, pipe string, iface SyntaxID) *Client {
	t.Helper()
	if _, err := c.do('O', []byte(pipe)); err != nil {
		t.Fatalf("%s: %v", pipe, err)
	}
	t.Cleanup(func() { _, _ = c.do('C', nil) })
	client := NewClient(c)
	results, err := client.Bind(t.Context(), iface)
	if err != nil || !results[0].Accepted {
		t.Fatalf("%s: %v %v", pipe, results, err)
	}
	return client
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// found returns the first group of every match in rpcclient's output, sorted.
func found(a peer.Answer, pattern string) []string {
	var list []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(a.Text, -1) {
		list = append(list, strings.TrimSpace(m[1]))
	}
	slices.Sort(list)
	return list
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%s: got %q, rpcclient says %q", what, got, want)
	}
}

// stranger asks a real Samba server without a name, and knows what rpcclient printed about the same.
type stranger struct {
	*carrier
	client peer.Client
	server *peer.Samba
	said   peer.Answer
	name   string // the server's, as the calls want it
}

// TestRealServer queries a real Samba server, anonymously, and compares the results with rpcclient's.
func TestRealServer(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t, peer.Config{Address: "127.43.2.1"})
	a := &stranger{server: s, name: `\\` + s.Address}
	a.said = a.client.RPC(t, s.Addr(), "enumdomains", "enumdomusers", "querydispinfo", "querydominfo 1",
		"querydominfo 2",
		"querydominfo 12", "getdompwinfo", "getusername", "lsaquery 5", "lookupnames alice", "lsaenumsid",
		"dsroledominfo",
		"netshareenumall 1", "srvinfo", "dfsversion", "ntsvcs_getversion", "epmlookup")
	a.carrier = carry(t, s, "", "")
	t.Run("samr", a.samr)
	t.Run("lsarpc", a.lsarpc)
	t.Run("dssetup", a.dssetup)
	t.Run("srvsvc", a.srvsvc)
	t.Run("wkssvc", a.wkssvc)
	t.Run("winreg", a.winreg)
	t.Run("svcctl", a.svcctl)
	t.Run("spoolss", a.spoolss)
	t.Run("netdfs", a.netdfs)
	t.Run("plugplay", a.plugplay)
	t.Run("eventlog", a.eventlog)
	t.Run("epmapper", a.epmapper)
	t.Run("several interfaces", a.severalInterfaces)
}

func (a *stranger) samr(t *testing.T) {
	samr := SAMRClient{a.bind(t, "samr", SAMR)}
	for version, connect := range map[string]func() (Handle, error){
		"5": func() (Handle, error) { return handleOf(samr.Connect5(t.Context(), a.name, MaximumAllowed)) },
		"4": func() (Handle, error) { return handleOf(samr.Connect4(t.Context(), a.name, MaximumAllowed)) },
		"2": func() (Handle, error) { return handleOf(samr.Connect2(t.Context(), a.name, MaximumAllowed)) },
		"":  func() (Handle, error) { return handleOf(samr.Connect(t.Context(), MaximumAllowed)) },
	} {
		h, err := connect()
		if err != nil || h == (Handle{}) {
			t.Errorf("connect%s: %v", version, err)
			continue
		}
		if r, err := samr.CloseHandle(t.Context(), h); err != nil || r.Handle != (Handle{}) {
			t.Errorf("close: %v", err)
		}
	}
	server := must[*SamrConnect5Response](t)(samr.Connect5(t.Context(), a.name, MaximumAllowed)).Handle
	domains := must[*SamrEnumerateResponse](t)(samr.EnumerateDomains(t.Context(), server, 0))
	compare(t, "domains", names(domains), found(a.said, `name:\[(.*?)\]`))
	sid := must[*SamrLookupDomainResponse](t)(samr.LookupDomain(t.Context(), server, Text(domains.Entries[0].Name))).SID
	compare(t, "domain SID", []string{sid.String()}, found(a.said, `Domain Sid: (.*)`))
	domain := must[*NTHandleResponse](t)(samr.OpenDomain(t.Context(), server, MaximumAllowed, *sid)).Handle
	users := must[*SamrEnumerateResponse](t)(samr.EnumerateUsers(t.Context(), domain, 0, 0))
	compare(t, "users", names(users), found(a.said, `user:\[(.*?)\]`))
	display := must[*SamrQueryDisplayResponse](t)(samr.QueryDisplay(t.Context(), domain, DisplayUser, 0, 100))
	var shown []string
	for _, e := range display.Entries {
		shown = append(shown, Text(e.Name))
	}
	compare(t, "display", shown, found(a.said, `Account: (.*?)\t`))
	must[*SamrEnumerateResponse](t)(samr.EnumerateGroups(t.Context(), domain, 0))
	must[*SamrEnumerateResponse](t)(samr.EnumerateAliases(t.Context(), domain, 0))
	password := must[*SamrQueryDomainResponse](t)(samr.QueryDomain(t.Context(), domain, DomainPassword)).Password
	compare(t, "password length", []string{fmt.Sprint(password.MinLength)},
		found(a.said, `Minimum password length:\s*(\d+)`))
	general := must[*SamrQueryDomainResponse](t)(samr.QueryDomain(t.Context(), domain, DomainGeneral)).General
	compare(t, "users counted", []string{fmt.Sprint(general.Users)}, found(a.said, `Total Users:\s*(\d+)`))
	lockout := must[*SamrQueryDomainResponse](t)(samr.QueryDomain2(t.Context(), domain, DomainLockout)).Lockout
	compare(t, "lock-out", []string{fmt.Sprint(lockout.Threshold)},
		found(a.said, `Lockout after bad attempts:\s*(\d+)`))
	free := must[*SamrGetDomainPasswordResponse](t)(samr.GetDomainPassword(t.Context()))
	compare(t, "password length without a handle", []string{fmt.Sprint(free.MinLength)},
		found(a.said, `min_password_length: (\d+)`))
	user := must[*NTHandleResponse](t)(samr.OpenUser(t.Context(), domain, MaximumAllowed, users.Entries[0].RID)).Handle
	if r, err := samr.QueryUser(t.Context(), user); err != nil || Text(r.General.Name) != Text(users.Entries[0].Name) {
		t.Errorf("user: %+v %v", r, err)
	}
	if _, err := samr.OpenUser(t.Context(), domain, MaximumAllowed, 77777); !errors.Is(err, status.NoSuchUser) {
		t.Errorf("a user who is not there: %v", err)
	}
}

func (a *stranger) lsarpc(t *testing.T) {
	lsa := LSAClient{a.bind(t, "lsarpc", LSARPC)}
	who := must[*LsarGetUserNameResponse](t)(lsa.GetUserName(t.Context(), a.name))
	compare(t, "who am I", []string{who.User.Text() + ", Authority Name: " + who.Domain.Text()},
		found(a.said, `Account Name: (.*)`))
	policy := must[*NTHandleResponse](t)(lsa.OpenPolicy2(t.Context(), a.name, MaximumAllowed)).Handle
	account := must[*LsarQueryPolicyResponse](t)(lsa.QueryPolicy(t.Context(), policy, PolicyAccountDomain)).Domain
	compare(t, "domain", []string{Text(account.Name)}, found(a.said, `Domain Name: (.*)`))
	must[*LsarQueryPolicyResponse](t)(lsa.QueryPolicy(t.Context(), policy, PolicyPrimaryDomain))
	if r, err := lsa.QueryPolicy(t.Context(), policy, PolicyServerRole); err != nil || r.Role != 2 && r.Role != 3 {
		t.Errorf("role: %+v %v", r, err)
	}
	_, err := lsa.QueryPolicy2(t.Context(), policy, PolicyDNSDomain)
	if f := status.Fault(0); !errors.As(err, &f) || f != status.FaultOpRangeError {
		t.Errorf("opnum 46, which Samba does not have: %v", err)
	}
	sids := []SID{
		account.SID.Child(501),
		{Revision: 1, Authority: [6]byte{5: 1}, SubAuthorities: []uint32{0}},
		account.SID.Child(99999),
	}
	translated := must[*LsarLookupSidsResponse](t)(lsa.LookupSIDs(t.Context(), policy, sids))
	if translated.Return != status.SomeNotMapped || len(translated.Names) != 3 ||
		translated.Names[2].Use != SIDUnknown ||
		Text(translated.Names[1].Name) != "Everyone" || translated.Mapped != 2 {
		t.Errorf("%+v", translated)
	}
	compare(t, "SID 501", []string{Text(translated.Names[0].Name)},
		found(a.client.RPC(t, a.server.Addr(), "lookupsids "+sids[0].String()), `\\(.*) \(1\)`))
	if _, err := lsa.LookupSIDs2(t.Context(), policy, sids); err != nil {
		if f := status.Fault(0); !errors.As(err, &f) {
			t.Error(err)
		}
	}
	byName := must[*LsarLookupNamesResponse](t)(lsa.LookupNames(t.Context(), policy, "alice"))
	compare(t, "alice", []string{account.SID.Child(byName.SIDs[0].RID).String()}, found(a.said, `alice (\S+)`))
	accounts := must[*LsarEnumerateAccountsResponse](t)(lsa.EnumerateAccounts(t.Context(), policy, 0))
	var list []string
	for _, s := range accounts.SIDs {
		list = append(list, s.String())
	}
	compare(t, "accounts with rights", list, found(a.said, `(?m)^(S-1-\S+)`))
	_, err = lsa.EnumerateTrusts(t.Context(), policy, 0)
	if f := status.Fault(0); !errors.As(err, &f) || f != status.FaultOpRangeError {
		t.Errorf("opnum 50, which a standalone Samba does not have: %v", err)
	}
	if r, err := lsa.EnumerateTrustedDomains(t.Context(), policy, 0); err != nil || r.Return != status.NoMoreEntries ||
		len(r.Domains) != 0 {
		t.Errorf("trusts of a server that has none: %+v %v", r, err)
	}
	if r, err := lsa.QuerySecurity(t.Context(), policy, 4); err != nil || len(r.Descriptor.Bytes) < 20 {
		t.Errorf("descriptor: %+v %v", r, err)
	}
	must[*NTHandleResponse](t)(lsa.OpenPolicy(t.Context(), MaximumAllowed))
	if r, err := lsa.Close(t.Context(), policy); err != nil || r.Handle != (Handle{}) {
		t.Errorf("close: %v", err)
	}
	if _, err := lsa.QueryPolicy(t.Context(), policy, PolicyAccountDomain); err == nil {
		t.Error("a closed handle answers")
	}
}

func (a *stranger) dssetup(t *testing.T) {
	ds := DSSetupClient{a.bind(t, "lsarpc", DSSETUP)}
	role := must[*DsRolerResponse](t)(ds.GetPrimaryDomainInformation(t.Context())).Info
	compare(t, "role", []string{fmt.Sprint(role.Role)}, found(a.said, `Machine Role = \[(\d)\]`))
}

func (a *stranger) srvsvc(t *testing.T) {
	srv := SRVSVCClient{a.bind(t, "srvsvc", SRVSVC)}
	for _, level := range []uint32{0, 1, 2, 502} {
		r, err := srv.ShareEnum(t.Context(), a.name, level, 0)
		if level > 1 && errors.Is(err, status.WerrAccessDenied) {
			continue
		}
		var list []string
		for _, e := range must[*NetrShareEnumResponse](t)(r, err).Entries {
			list = append(list, Text(e.Name))
		}
		compare(t, "shares", list, found(a.said, `netname: (.*)`))
	}
	info := must[*NetrServerGetInfoResponse](t)(srv.ServerGetInfo(t.Context(), a.name, 101)).Info
	compare(t, "version", []string{fmt.Sprintf("%d.%d", info.Major, info.Minor)},
		found(a.said, `os version\s*:\s*(\S+)`))
	must[*NetrServerGetInfoResponse](t)(srv.ServerGetInfo(t.Context(), a.name, 100))
	if tod := must[*NetrRemoteTODResponse](t)(srv.RemoteTOD(t.Context(), a.name)).Time; tod.Year < 2024 ||
		tod.Hours > 23 {
		t.Errorf("time: %+v", tod)
	}
	if _, err := srv.SessionEnum(t.Context(), a.name, 10, 0); !errors.Is(err, status.WerrAccessDenied) &&
		!errors.Is(err, status.WerrInvalidLevel) {
		t.Errorf("sessions: %v", err)
	}
	if _, err := srv.SessionEnum(t.Context(), a.name, 0, 0); !errors.Is(err, status.WerrAccessDenied) {
		t.Errorf("sessions: %v", err)
	}
	if r := must[*NetrShareGetInfoResponse](t)(srv.ShareGetInfo(t.Context(), a.name, "public", 1)); Text(
		r.Info.Name) != "public" {
		t.Errorf("share: %+v", r)
	}
}

func (a *stranger) wkssvc(t *testing.T) {
	wks := WKSSVCClient{a.bind(t, "wkssvc", WKSSVC)}
	if info := must[*NetrWkstaGetInfoResponse](t)(wks.GetInfo(t.Context(), a.name, 100)).Info; Text(info.Name) == "" ||
		Text(info.Domain) == "" {
		t.Errorf("info: %+v", info)
	}
	if _, err := wks.UserEnum(t.Context(), a.name, 0, 0); !errors.Is(err, status.WerrAccessDenied) {
		t.Errorf("users: %v", err)
	}
	refused := []error{}
	_, err := wks.TransportEnum(t.Context(), a.name, 0)
	refused = append(refused, err)
	_, err = wks.GetJoinInformation(t.Context(), a.name)
	refused = append(refused, err)
	for _, err := range refused { // Samba lacks them, or refuses them to a stranger
		if f, w := status.Fault(0), status.WError(0); err != nil && !errors.As(err, &f) && !errors.As(err, &w) {
			t.Error(err)
		}
	}
}

func (a *stranger) winreg(t *testing.T) {
	reg := WinregClient{a.bind(t, "winreg", WINREG)}
	root := must[*WHandleResponse](t)(reg.OpenLocalMachine(t.Context(), MaximumAllowed)).Handle
	must[*BaseRegGetVersionResponse](t)(reg.GetVersion(t.Context(), root))
	key := must[*WHandleResponse](t)(reg.OpenKey(t.Context(), root, `SYSTEM\CurrentControlSet\Control\ProductOptions`,
		KeyRead)).Handle
	if r := must[*BaseRegQueryInfoKeyResponse](t)(reg.QueryInfoKey(t.Context(), key)); r.Values != 1 {
		t.Errorf("key: %+v", r)
	}
	value := must[*BaseRegQueryValueResponse](t)(reg.QueryValue(t.Context(), key, "ProductType", 1000)).Value
	if string(value.Data) != "S\x00e\x00r\x00v\x00e\x00r\x00N\x00T\x00\x00\x00" || *value.Type != 1 {
		t.Errorf("value: %+v", value)
	}
	if r, err := reg.QueryValue(t.Context(), key, "ProductType", 2); err != nil || !r.More() || *r.Value.Size != 18 {
		t.Errorf("a buffer that is too small: %+v %v", r, err)
	}
	each := must[*BaseRegEnumValueResponse](t)(reg.EnumValue(t.Context(), key, 0, 1000))
	if Text(each.Name.Value) != "ProductType" || string(each.Value.Data) != string(value.Data) {
		t.Errorf("value: %+v", each)
	}
	if _, err := reg.EnumValue(t.Context(), key, 1, 1000); !errors.Is(err, status.WerrNoMoreItems) {
		t.Errorf("the second of one value: %v", err)
	}
	if r := must[*BaseRegEnumKeyResponse](t)(reg.EnumKey(t.Context(), root, 0)); Text(r.Name.Value) == "" {
		t.Errorf("key: %+v", r)
	}
	if _, err := reg.EnumKey(t.Context(), root, 1000); !errors.Is(err, status.WerrNoMoreItems) {
		t.Errorf("key 1000: %v", err)
	}
	if _, err := WinregWriter(reg).CreateKey(t.Context(), root, `SYSTEM\ipcguard`, KeyWrite); !errors.Is(err,
		status.WerrAccessDenied) {
		t.Errorf("a stranger makes a key: %v", err)
	}
	must[*WHandleResponse](t)(reg.CloseKey(t.Context(), key))
}

func (a *stranger) svcctl(t *testing.T) {
	svc := SVCCTLClient{a.bind(t, "svcctl", SVCCTL)}
	manager := must[*WHandleResponse](t)(svc.OpenSCManager(t.Context(), a.name,
		ScManagerConnect|ScManagerEnumerate)).Handle
	sizing := must[*REnumServicesStatusWResponse](t)(svc.EnumServices(t.Context(), manager, 0, 0))
	r := must[*REnumServicesStatusWResponse](t)(svc.EnumServices(t.Context(), manager, sizing.Needed, 0))
	var list []string
	for _, s := range r.Services() {
		list = append(list, s.Name)
	}
	compare(t, "services", list, []string{"NETLOGON", "RemoteRegistry", "Spooler", "WINS"})
	must[*WHandleResponse](t)(svc.CloseServiceHandle(t.Context(), manager))
}

func (a *stranger) spoolss(t *testing.T) {
	spl := SpoolssClient{a.bind(t, "spoolss", SPOOLSS)}
	if r, err := spl.EnumPrinters(t.Context(), a.name, 0); err != nil || r.Returned != 0 {
		t.Errorf("printers: %+v %v", r, err)
	}
	if _, err := spl.OpenPrinterEx(t.Context(), a.name, MaximumAllowed); !errors.Is(err, status.WerrAccessDenied) {
		t.Errorf("a stranger opens the print server: %v", err)
	}
}

func (a *stranger) netdfs(t *testing.T) {
	dfs := NetDFSClient{a.bind(t, "netdfs", NETDFS)}
	v := must[*NetrDfsManagerGetVersionResponse](t)(dfs.ManagerGetVersion(t.Context()))
	compare(t, "version", []string{fmt.Sprint(v.Version)}, found(a.said, `dfs is present \((\d+)\)`))
}

func (a *stranger) plugplay(t *testing.T) {
	pnp := PlugPlayClient{a.bind(t, "ntsvcs", PLUGPLAY)}
	v := must[*PNPGetVersionResponse](t)(pnp.GetVersion(t.Context()))
	compare(t, "version", []string{fmt.Sprint(v.Version)}, found(a.said, `(?m)^version: (\d+)`))
}

func (a *stranger) eventlog(t *testing.T) {
	log := EventlogClient{a.bind(t, "eventlog", EVENTLOG)}
	_, err := log.OpenELW(t.Context(), "System")
	if n := status.NTStatus(0); !errors.As(err, &n) {
		t.Errorf("a log of a server that keeps none: %v", err)
	}
}

func (a *stranger) epmapper(t *testing.T) {
	epm := EpmapperClient{a.bind(t, "epmapper", EPMAPPER)}
	count := 0
	var entry Handle
	for range 100 {
		r, err := epm.Lookup(t.Context(), entry, 50)
		if r != nil {
			count += len(r.Entries)
		}
		if err != nil || r.Entry == (Handle{}) {
			break
		}
		entry = r.Entry
	}
	// It drops the entry that comes with the end of the map.
	if want := len(found(a.said, `(?m)^([0-9a-f-]{36}) `)); count == 0 || count != want && count != want+1 {
		t.Errorf("%d entries, rpcclient says %d", count, want)
	}
}

func (a *stranger) severalInterfaces(t *testing.T) {
	if _, err := a.do('O', []byte("lsarpc")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.do('C', nil) })
	client := NewClient(a.carrier)
	results, err := client.Bind(t.Context(), LSARPC, EFSRPCLsa)
	if err != nil || !results[0].Accepted || results[1].Accepted {
		t.Errorf("%v %v", results, err)
	}
	if results, err = client.AlterContext(t.Context(), DSSETUP); err != nil || !results[0].Accepted {
		t.Errorf("alter_context: %v %v", results, err)
	}
	if _, err := (DSSetupClient{client}).GetPrimaryDomainInformation(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := (LSAClient{client}).GetUserName(t.Context(), a.name); err != nil {
		t.Error(err)
	}
	_, err = client.Call(t.Context(), LSARPC, 200, nil)
	if f := status.Fault(0); !errors.As(err, &f) || f != status.FaultOpRangeError {
		t.Errorf("opnum 200: %v", err)
	}
}

func names(r *SamrEnumerateResponse) []string {
	var list []string
	for _, e := range r.Entries {
		list = append(list, Text(e.Name))
	}
	return list
}

func handleOf(r any, err error) (Handle, error) {
	if err != nil {
		return Handle{}, err
	}
	switch r := r.(type) {
	case *NTHandleResponse:
		return r.Handle, nil
	case *SamrConnect5Response:
		return r.Handle, nil
	}
	return Handle{}, fmt.Errorf("%T has no handle", r)
}

// TestRealRegistryWriter changes the registry of a real server and undoes the change.
func TestRealRegistryWriter(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t, peer.Config{Address: "127.43.2.2", Users: []string{"root"}})
	c := carry(t, s, "root", peer.Password)
	client := c.bind(t, "winreg", WINREG)
	reg, write := WinregClient{client}, WinregWriter{client}
	root := must[*WHandleResponse](t)(reg.OpenLocalMachine(t.Context(), MaximumAllowed)).Handle
	made := must[*BaseRegCreateKeyResponse](t)(write.CreateKey(t.Context(), root,
		`SYSTEM\CurrentControlSet\Control\Lsa`, MaximumAllowed))
	key := made.Key
	if made.Disposition == nil || *made.Disposition != RegCreatedNewKey && *made.Disposition != RegOpenedExistingKey {
		t.Errorf("disposition: %v", made.Disposition)
	}
	if err := write.SetValue(t.Context(), key, "RestrictAnonymous", 4, []byte{1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if err := write.FlushKey(t.Context(), key); err != nil {
		t.Errorf("flush: %v", err)
	}
	v := must[*BaseRegQueryValueResponse](t)(reg.QueryValue(t.Context(), key, "RestrictAnonymous", 4)).Value
	if string(v.Data) != "\x01\x00\x00\x00" || *v.Type != 4 {
		t.Errorf("%+v", v)
	}
	if err := write.DeleteValue(t.Context(), key, "RestrictAnonymous"); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.QueryValue(t.Context(), key, "RestrictAnonymous", 4); err == nil {
		t.Error("a deleted value answers")
	}
	if r, err := reg.GetKeySecurity(t.Context(), root, 4, 4096); err != nil || len(r.Descriptor.Bytes) < 20 {
		t.Errorf("descriptor: %+v %v", r, err)
	}
	must[*BaseRegCreateKeyResponse](t)(write.CreateKey(t.Context(), key, `ipcguard`, MaximumAllowed))
	if err := write.DeleteKey(t.Context(), key, "ipcguard"); err != nil {
		t.Error(err)
	}
	if _, err := reg.OpenKey(t.Context(), key, "ipcguard", KeyRead); err == nil {
		t.Error("a deleted key opens")
	}
}
