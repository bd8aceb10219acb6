// Code generated from data/*.yaml by go generate; DO NOT EDIT.

//go:build !generating

package catalog

import "ipcguard/internal/model"

var generated = Catalog{
	Products: []Product{
		{ID: "nt4", Title: "Windows NT 4.0", System: "windows", Family: "both", Builds: [2]int{1381, 1381}, Aliases: []string{"Windows NT", "NT4 Server", "NT4 Workstation"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "win2000", Title: "Windows 2000", System: "windows", Family: "both", Builds: [2]int{2195, 2195}, Aliases: []string{"Windows 2000 Server", "Windows 2000 Professional"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "winxp", Title: "Windows XP", System: "windows", Family: "client", Builds: [2]int{2600, 2600}, Aliases: []string{"XP"}, Notes: "The 64-bit edition carries build 3790 and behaves as Windows Server 2003.", Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "win2003", Title: "Windows Server 2003", System: "windows", Family: "server", Builds: [2]int{3790, 3790}, Aliases: []string{"Server 2003"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "winxp-x64", Title: "Windows XP Professional x64 Edition", System: "windows", Family: "client", Builds: [2]int{3790, 3790}, Aliases: []string{"XP x64", "Windows XP x64"}, Notes: "Built from Windows Server 2003, and behaves as it does.", Sources: []string{"D MS-SRVS 3.1.3", "D MS-LSAD 3.1.1.6.1"}},
		{ID: "win2003r2", Title: "Windows Server 2003 R2", System: "windows", Family: "server", Builds: [2]int{3790, 3790}, Aliases: []string{"Server 2003 R2"}, Sources: []string{"D MS-LSAD 3.1.1.6.1"}},
		{ID: "vista", Title: "Windows Vista", System: "windows", Family: "client", Builds: [2]int{6000, 6003}, Aliases: []string{"Windows Vista RTM", "Windows Vista SP1", "Windows Vista SP2"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "win2008", Title: "Windows Server 2008", System: "windows", Family: "server", Builds: [2]int{6001, 6003}, Aliases: []string{"Server 2008"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "win7", Title: "Windows 7", System: "windows", Family: "client", Builds: [2]int{7600, 7601}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "win2008r2", Title: "Windows Server 2008 R2", System: "windows", Family: "server", Builds: [2]int{7600, 7601}, Aliases: []string{"Server 2008 R2"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "win8", Title: "Windows 8", System: "windows", Family: "client", Builds: [2]int{9200, 9200}, Sources: []string{"D MS-SMB2"}},
		{ID: "win2012", Title: "Windows Server 2012", System: "windows", Family: "server", Builds: [2]int{9200, 9200}, Aliases: []string{"Server 2012"}, Sources: []string{"D MS-SMB2"}},
		{ID: "win8.1", Title: "Windows 8.1", System: "windows", Family: "client", Builds: [2]int{9600, 9600}, Sources: []string{"D MS-SMB2"}},
		{ID: "win2012r2", Title: "Windows Server 2012 R2", System: "windows", Family: "server", Builds: [2]int{9600, 9600}, Aliases: []string{"Server 2012 R2"}, Sources: []string{"D MS-SMB2"}},
		{ID: "win10-1507", Title: "Windows 10 1507", System: "windows", Family: "client", Builds: [2]int{10240, 10240}, Sources: []string{"K release-tables"}},
		{ID: "win10-1511", Title: "Windows 10 1511", System: "windows", Family: "client", Builds: [2]int{10586, 10586}, Sources: []string{"K release-tables"}},
		{ID: "win10-1607", Title: "Windows 10 1607", System: "windows", Family: "client", Builds: [2]int{14393, 14393}, Sources: []string{"K release-tables"}},
		{ID: "win2016", Title: "Windows Server 2016", System: "windows", Family: "server", Builds: [2]int{14393, 14393}, Aliases: []string{"Server 2016"}, Sources: []string{"K release-tables"}},
		{ID: "win10-1703", Title: "Windows 10 1703", System: "windows", Family: "client", Builds: [2]int{15063, 15063}, Sources: []string{"K release-tables"}},
		{ID: "win10-1709", Title: "Windows 10 1709", System: "windows", Family: "client", Builds: [2]int{16299, 16299}, Sources: []string{"K release-tables", "M hives"}},
		{ID: "server-1709", Title: "Windows Server, version 1709", System: "windows", Family: "server", Builds: [2]int{16299, 16299}, Sources: []string{"K release-tables"}},
		{ID: "win10-1803", Title: "Windows 10 1803", System: "windows", Family: "client", Builds: [2]int{17134, 17134}, Sources: []string{"K release-tables"}},
		{ID: "server-1803", Title: "Windows Server, version 1803", System: "windows", Family: "server", Builds: [2]int{17134, 17134}, Sources: []string{"K release-tables"}},
		{ID: "win10-1809", Title: "Windows 10 1809", System: "windows", Family: "client", Builds: [2]int{17763, 17763}, Sources: []string{"K release-tables"}},
		{ID: "win2019", Title: "Windows Server 2019", System: "windows", Family: "server", Builds: [2]int{17763, 17763}, Aliases: []string{"Server 2019", "Windows Server, version 1809"}, Sources: []string{"K release-tables"}},
		{ID: "win10-1903", Title: "Windows 10 1903", System: "windows", Family: "client", Builds: [2]int{18362, 18362}, Sources: []string{"K release-tables"}},
		{ID: "server-1903", Title: "Windows Server, version 1903", System: "windows", Family: "server", Builds: [2]int{18362, 18362}, Sources: []string{"K release-tables"}},
		{ID: "win10-1909", Title: "Windows 10 1909", System: "windows", Family: "client", Builds: [2]int{18363, 18363}, Sources: []string{"K release-tables"}},
		{ID: "server-1909", Title: "Windows Server, version 1909", System: "windows", Family: "server", Builds: [2]int{18363, 18363}, Sources: []string{"K release-tables"}},
		{ID: "win10-2004", Title: "Windows 10 2004", System: "windows", Family: "client", Builds: [2]int{19041, 19041}, Sources: []string{"K release-tables"}},
		{ID: "server-2004", Title: "Windows Server, version 2004", System: "windows", Family: "server", Builds: [2]int{19041, 19041}, Sources: []string{"K release-tables"}},
		{ID: "win10-20H2", Title: "Windows 10 20H2", System: "windows", Family: "client", Builds: [2]int{19042, 19042}, Sources: []string{"K release-tables"}},
		{ID: "server-20H2", Title: "Windows Server, version 20H2", System: "windows", Family: "server", Builds: [2]int{19042, 19042}, Sources: []string{"K release-tables"}},
		{ID: "win10-21H1", Title: "Windows 10 21H1", System: "windows", Family: "client", Builds: [2]int{19043, 19043}, Sources: []string{"K release-tables"}},
		{ID: "win10-21H2", Title: "Windows 10 21H2", System: "windows", Family: "client", Builds: [2]int{19044, 19044}, Sources: []string{"K release-tables"}},
		{ID: "win10-22H2", Title: "Windows 10 22H2", System: "windows", Family: "client", Builds: [2]int{19045, 19045}, Sources: []string{"K release-tables"}},
		{ID: "win2022", Title: "Windows Server 2022", System: "windows", Family: "server", Builds: [2]int{20348, 20348}, Aliases: []string{"Server 2022"}, Sources: []string{"K release-tables"}},
		{ID: "win11-21H2", Title: "Windows 11 21H2", System: "windows", Family: "client", Builds: [2]int{22000, 22000}, Sources: []string{"K release-tables"}},
		{ID: "win11-22H2", Title: "Windows 11 22H2", System: "windows", Family: "client", Builds: [2]int{22621, 22621}, Sources: []string{"K release-tables"}},
		{ID: "win11-23H2", Title: "Windows 11 23H2", System: "windows", Family: "client", Builds: [2]int{22631, 22631}, Sources: []string{"K release-tables"}},
		{ID: "server-23H2", Title: "Windows Server, version 23H2", System: "windows", Family: "server", Builds: [2]int{25398, 25398}, Sources: []string{"K release-tables"}},
		{ID: "win11-24H2", Title: "Windows 11 24H2", System: "windows", Family: "client", Builds: [2]int{26100, 26100}, Sources: []string{"K release-tables"}},
		{ID: "win2025", Title: "Windows Server 2025", System: "windows", Family: "server", Builds: [2]int{26100, 26100}, Aliases: []string{"Server 2025"}, Sources: []string{"K release-tables"}},
		{ID: "win11-25H2", Title: "Windows 11 25H2", System: "windows", Family: "client", Builds: [2]int{26200, 26200}, Sources: []string{"K release-tables"}},
		{ID: "samba", Title: "Samba", System: "samba", Family: "server", Aliases: []string{"smbd"}, Notes: "Measured on 4.13, 4.17, 4.22 and 4.25; source read at 4.25.0pre. samba-4.13 names a release.", Measured: []string{"4.13", "4.17", "4.22", "4.25"}, Sources: []string{"M samba-4.17.12", "M samba-releases", "S samba"}},
		{ID: "ksmbd", Title: "ksmbd", System: "ksmbd", Family: "server", Aliases: []string{"ksmbd-tools", "cifsd"}, Notes: "Measured on Linux 6.12 with tools 3.5.3 and Linux 7.2 with tools 3.5.7.", Measured: []string{"3.5.3", "3.5.7"}, Sources: []string{"S ksmbd-tools", "M ksmbd-6.12", "M ksmbd-7.2"}},
	},
	Settings: []Setting{
		{ID: "restrict anonymous", Title: "How far anonymous callers get", System: "samba", Where: "[global] restrict anonymous", Type: "int", Applies: Scope{Products: []string{"samba"}}, Summary: "At 0 a stranger learns nearly everything, at 1 he loses accounts and shares but keeps many pipes, at 2 IPC$ is closed to him.", Values: []Meaning{
			{Value: 0, Means: "Accounts, groups, policy, shares, services, registry and more are given to anyone."},
			{Value: 1, Means: "The samr and srvsvc calls that ask are refused; lsarpc, winreg, svcctl, spoolss, wkssvc and others still answer. On a domain controller samr answers too."},
			{Value: 2, Means: "IPC$ refuses anonymous and guest sessions at the tree connect. Shares with guest ok stay open."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: 2, Compare: "at-least", Why: "Only 2 closes every pipe to strangers."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config, then smbcontrol smbd close-share 'IPC$' for connections that are open; value 1 also needs a signal to the rpcd_* workers or a full restart", Sources: []string{"M samba-4.17.12"}},
		}, Breaks: []Breakage{
			{Value: 2, Who: "clients that join or browse without credentials", What: "IPC$ is refused to them", Services: []string{"samba_winbind", "netlogon"}, Certainty: "possible", Sources: []string{"S samba"}},
		}, Governs: Governs{Tree: true, Pipes: []string{"*"}, Discloses: []model.Disclosure{"accounts", "groups", "password-policy", "shares", "sids", "trusts", "services", "registry", "printers", "sessions", "dfs", "logs"}}, Reach: "anonymous", SmbdAlone: true, Notes: []string{"The manual says that guest ok on any share removes the protection of 2; measured, IPC$ stays closed and only that share is readable.", "Setting it to 1 while the rpcd workers live has no effect on them: users were still listed two minutes after the reload."}, Related: []string{"RestrictAnonymous", "map to guest", "IPC$:invalid users", "ksmbd:restrict anonymous"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "map to guest", Title: "Turn failed logons into guests", System: "samba", Where: "[global] map to guest", Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "Decides whether a made-up name is let in as guest. A guest then gets what an anonymous caller gets.", Values: []Meaning{
			{Value: "never", Means: "A failed logon fails."},
			{Value: "bad user", Means: "An unknown name becomes guest; a wrong password fails."},
			{Value: "bad password", Means: "An unknown name or a wrong password becomes guest."},
			{Value: "bad uid", Means: "Only a domain user without a Unix account becomes guest."},
		}, Defaults: []Default{
			{Value: "never", Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: "never", Compare: "equal", Why: "A mistyped name should not be a way in."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: "never", Who: "people who use guest shares with any name", What: "they have to connect without a name", Certainty: "possible", Sources: []string{"S samba"}},
		}, Governs: Governs{Session: true}, Reach: "anonymous", SmbdAlone: true, Notes: []string{"A client that insists on signing cannot use the guest session and reports access denied, which hides it."}, Related: []string{"restrict anonymous", "guest account"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "guest account", Title: "The Unix account of strangers", System: "samba", Where: "[global] guest account", Type: "string", Applies: Scope{Products: []string{"samba"}}, Summary: "Anonymous and guest sessions work under this account.", Defaults: []Default{
			{Value: "nobody", Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: "nobody", Compare: "not-root", Why: "Whoever comes in without a password works under this account: as root he writes the registry over IPC$, and no folder's permissions hold him."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Who: "smbd", What: "it does not start when the account does not exist", Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Reach: "anonymous", Finding: "guest-account-root", SmbdAlone: true, Notes: []string{"Where the account is also in Samba's password database, naming it in [IPC$] invalid users keeps out guests but not anonymous sessions."}, Related: []string{"map to guest", "IPC$:invalid users"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "guest ok", Title: "A share that takes strangers", System: "samba", Where: "[SHARE] guest ok", Aliases: []string{"public"}, Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "A disk share with it is readable without credentials, whatever restrict anonymous says. In [IPC$] the line is ignored.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "Files are not meant for strangers."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: false, Who: "people who use the share without a name", What: "they need an account", Certainty: "documented", Sources: []string{"S samba"}},
		}, Governs: Governs{Discloses: []model.Disclosure{"files"}}, Reach: "anonymous", Related: []string{"restrict anonymous", "guest only"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "guest only", Title: "A share where everybody is a stranger", System: "samba", Where: "[SHARE] guest only", Aliases: []string{"only guest"}, Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Everybody works as the guest account on this share. It opens the share to strangers by itself, without guest ok.", Defaults: []Default{
			{Value: false, Sources: []string{"S samba"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "Files are not meant for strangers."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: false, Who: "people who work on the share as the guest account", What: "their own account counts again, and needs permission", Certainty: "documented", Sources: []string{"S samba"}},
		}, Governs: Governs{Discloses: []model.Disclosure{"files"}}, Reach: "anonymous", Related: []string{"guest ok"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "null passwords", Title: "Accounts without a password", System: "samba", Where: "[global] null passwords", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Lets accounts with an empty password in. Deprecated.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "An empty password is no credential."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Reach: "everyone", Notes: []string{"Anonymous callers and made-up names are treated the same with and without it."}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "server min protocol", Title: "Lowest dialect of the server", System: "samba", Where: "[global] server min protocol", Aliases: []string{"min protocol"}, Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "NT1 or lower speaks SMB1. Strangers are treated alike in every dialect.", Defaults: []Default{
			{Value: "NT1", Before: "4.11", Sources: []string{"S samba"}},
			{Value: "SMB2_02", Sources: []string{"M samba-4.17.12", "M samba-releases"}},
		}, Wanted: []Wanted{
			{Value: []interface{}{"smb2", "smb2_02", "smb2_10", "smb3", "smb3_00", "smb3_02", "smb3_11"}, Compare: "one-of", Why: "Anything lower speaks SMB1, which nothing current needs."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Who: "clients that speak older dialects alone", What: "they are refused", Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Ends: []End{
			{Values: []interface{}{"smb2_02"}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "2.0.2", Why: "older dialects are not answered", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"smb2", "smb2_10"}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "2.1", Why: "older dialects are not answered", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"smb3_00"}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "3.0", Why: "older dialects are not answered", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"smb3_02"}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "3.0.2", Why: "older dialects are not answered", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"smb3", "smb3_11"}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "3.1.1", Why: "older dialects are not answered", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Session: true, Pipes: []string{"LANMAN"}}, Reach: "everyone", Finding: "smb1-enabled", SmbdAlone: true, Related: []string{"server max protocol", "SMB1"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "server max protocol", Title: "Highest dialect of the server", System: "samba", Where: "[global] server max protocol", Aliases: []string{"max protocol", "protocol"}, Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "Below SMB3 there is no encryption. Below server min protocol (SMB2_02 from Samba 4.11 on) every client is refused.", Defaults: []Default{
			{Value: "SMB3", Sources: []string{"M samba-4.17.12"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Governs: Governs{Session: true}, Reach: "everyone", Related: []string{"server min protocol"}, Sources: []string{"S samba"}},
		{ID: "server signing", Title: "Signed messages", System: "samba", Where: "[global] server signing", Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "Mandatory refuses unsigned users. Anonymous and guest sessions are exempt.", Values: []Meaning{
			{Value: "default", Means: "Mandatory on an AD domain controller; elsewhere off over SMB1, and offered over SMB2 and later."},
			{Value: "auto", Means: "Offered."},
			{Value: "mandatory", Means: "Signed-in sessions must sign."},
			{Value: "disabled", Means: "Not offered over SMB1; SMB2 and later offer it all the same."},
		}, Defaults: []Default{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Value: "mandatory", Sources: []string{"S samba"}},
			{Value: "disabled", Sources: []string{"S samba", "M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: "mandatory", Compare: "equal", Why: "Unsigned logons can be relayed."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: "mandatory", Who: "clients that cannot sign", What: "they are refused", Certainty: "documented", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Values: []interface{}{"mandatory"}, Unsigned: true, Why: "who does not sign is refused", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"mandatory"}, Who: []model.Identity{"guest", "unknown-user"}, Maybe: "smbd lets a guest in unsigned, and a client that signs because the server asks for it fails for want of a key", Why: "signing is required", Sources: []string{"M samba-4.17.12"}},
		}, Reach: "everyone", CoveredBy: []Cover{
			{Setting: "server smb encrypt", Values: []interface{}{"required", "mandatory", "force", "forced", "enforced", "require"}, Why: "every session is encrypted, which protects each message as signing would"},
		}, Finding: "signing-not-required", Related: []string{"RequireSecuritySignature"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "server smb encrypt", Title: "Encrypted sessions", System: "samba", Where: "[global] server smb encrypt", Aliases: []string{"smb encrypt"}, Type: "enum", Since: "4.14", Before: "smb encrypt", Applies: Scope{Products: []string{"samba"}}, Summary: "Required refuses anonymous and guest sessions, because they have no key; it also refuses clients without SMB3.", Values: []Meaning{
			{Value: "default", Means: "Offered where a share asks."},
			{Value: "desired", Means: "Used where the client can. Strangers who could encrypt are told to, without a key: Samba takes their plain requests as before, but its own clients and impacket give up at SMB3, others need not. impacket also gives up below SMB3, which cannot encrypt."},
			{Value: "required", Means: "Every session is encrypted; strangers are refused at logon."},
		}, Defaults: []Default{
			{Value: "default", Sources: []string{"M samba-4.17.12"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: "required", Who: "clients without SMB3 encryption", What: "they are locked out", Certainty: "documented", Sources: []string{"S samba", "M samba-4.17.12"}},
			{Value: "desired", Who: "null sessions and guests at SMB3", What: "those whose client insists on encryption, as smbclient and rpcclient do, are locked out", Certainty: "possible", Sources: []string{"M samba-4.17.12"}},
		}, Ends: []End{
			{Values: []interface{}{"required", "mandatory", "force", "forced", "enforced", "require"}, Unencrypted: true, Why: "who does not encrypt is refused", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"desired"}, Who: []model.Identity{"anonymous", "guest", "unknown-user"}, Encrypts: true, Maybe: "smbd takes a plain request, and a client that then insists on encryption, as Samba's own do, fails for want of a key", Why: "strangers who could encrypt are asked to", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"desired"}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine"}, Unencrypted: true, SMB2: true, Global: true, Maybe: "Samba's own clients pass over that, and others, as impacket does, give up", Why: "smbd asks every SMB2 session to encrypt, also where that is not possible", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"no", "false", "0", "off", "disabled"}, Who: []model.Identity{"user", "machine"}, IPC: true, Global: true, While: []Cover{
				{Setting: "IPC$:server smb encrypt", Values: []interface{}{"required", "mandatory", "force", "forced", "enforced", "require"}, Why: "IPC$ requires encryption"},
			}, Why: "IPC$ requires encryption, which nobody is offered then", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Session: true, Tree: true, Pipes: []string{"*"}, Discloses: []model.Disclosure{"files"}}, Reach: "everyone", Unsuited: "it locks out clients without SMB3 encryption", SmbdAlone: true, InShares: []Meaning{
			{Value: "default", Means: "The share asks for nothing of its own."},
			{Value: "desired", Means: "Users who can encrypt do so on this share, and clients without SMB3 encryption use it as before. Strangers at SMB3 are asked to encrypt and have no key: Samba takes their plain requests, and its own clients give up."},
			{Value: "required", Means: "Who opens this share has to encrypt. Strangers, who have no key, and clients without SMB3 encryption are refused the share; the other shares stay as they are."},
		}, Related: []string{"restrict anonymous"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "nt pipe support", Title: "Named pipes", System: "samba", Where: "[global] nt pipe support", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Without it IPC$ connects and no pipe opens, for anybody.", Values: []Meaning{
			{Value: true, Means: "Pipes open."},
			{Value: false, Means: "Every pipe is refused, to signed-in users too."},
		}, Defaults: []Default{
			{Value: true, Sources: []string{"M samba-4.17.12"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: false, Who: "everything that manages the server from afar", What: "share lists, printing, joins and rights stop working", Services: []string{"server_srvsvc", "samr", "lsarpc", "spoolss", "winreg", "svcctl"}, Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Pipes: []string{"*"}}, Reach: "everyone", Unsuited: "it refuses every pipe to everybody", SmbdAlone: true, Related: []string{"restrict anonymous"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "rpc start on demand helpers", Title: "Helpers behind the pipes", System: "samba", Where: "[global] rpc start on demand helpers", Type: "bool", Since: "4.16", Applies: Scope{Products: []string{"samba"}}, Summary: "Without it, and without a running samba-dcerpcd, no pipe exists.", Values: []Meaning{
			{Value: true, Means: "Helpers start when a pipe is opened."},
			{Value: false, Means: "Pipes exist only while samba-dcerpcd runs."},
		}, Defaults: []Default{
			{Value: true, Sources: []string{"M samba-4.17.12"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: false, Who: "everything that manages the server from afar", What: "pipes are not found", Services: []string{"server_srvsvc", "samr", "lsarpc"}, Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Pipes: []string{"*"}}, Reach: "everyone", Sources: []string{"M samba-4.17.12"}},
		{ID: "disable spoolss", Title: "No print pipe", System: "samba", Where: "[global] disable spoolss", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Takes the spoolss pipe away.", Defaults: []Default{
			{Value: false, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: true, Who: "Windows clients that print", What: "they fall back to older printing", Services: []string{"spoolss"}, Certainty: "documented", Sources: []string{"S samba"}},
		}, Governs: Governs{Pipes: []string{"spoolss"}, Discloses: []model.Disclosure{"printers"}}, Reach: "everyone", Sources: []string{"S samba"}},
		{ID: "allow dcerpc auth level connect", Title: "RPC that proves the caller once", System: "samba", Where: "[global] allow dcerpc auth level connect", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Lets RPC go on without a signature on each message. Deprecated. samr, lsarpc and netlogon refuse it unless a line of their own (NAME:INTERFACE) says yes; epmapper, mgmt and rpcecho always let it.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "A message without a signature can be changed on the way."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd and samba-dcerpcd", Sources: []string{"I ours"}},
		}, Reach: "everyone", Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "dcerpc endpoint servers", Title: "Interfaces of the domain controller", System: "samba", Where: "[global] dcerpc endpoint servers", Type: "list", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "Taking a name off the list takes the interface away, for everybody.", Defaults: []Default{
			{Value: []interface{}{"epmapper", "samr", "netlogon", "lsarpc", "drsuapi", "dssetup", "unixinfo", "browser", "eventlog6", "backupkey", "dnsserver"}, From: "4.24", Sources: []string{"M samba-releases"}},
			{Value: []interface{}{"epmapper", "wkssvc", "rpcecho", "samr", "netlogon", "lsarpc", "drsuapi", "dssetup", "unixinfo", "browser", "eventlog6", "backupkey", "dnsserver"}, Before: "4.14", Sources: []string{"M samba-releases"}},
			{Value: []interface{}{"epmapper", "wkssvc", "samr", "netlogon", "lsarpc", "drsuapi", "dssetup", "unixinfo", "browser", "eventlog6", "backupkey", "dnsserver"}, Sources: []string{"M samba-4.17.12"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Who: "the domain", What: "logons, joins and replication need samr, netlogon, lsarpc and drsuapi", Services: []string{"samr", "lsarpc", "netlogon"}, Certainty: "possible", Sources: []string{"S samba"}},
		}, Governs: Governs{Pipes: []string{"samr", "netlogon", "lsarpc", "wkssvc", "epmapper", "browser", "dnsserver", "protected_storage"}, Discloses: []model.Disclosure{"accounts", "groups", "password-policy", "sids", "trusts", "sessions", "endpoints"}}, Reach: "everyone", Unsuited: "taking an interface off the list takes it from signed-in users and the domain too", Sources: []string{"M samba-4.17.12"}},
		{ID: "ldap server require strong auth", Title: "Signed LDAP on the domain controller", System: "samba", Where: "[global] ldap server require strong auth", Type: "enum", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "Not IPC$; the same data by another door.", Defaults: []Default{
			{Value: true, Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: true, Compare: "equal", Why: "Unsigned LDAP can be relayed to."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Reach: "everyone", Sources: []string{"M samba-4.17.12"}},
		{ID: "ntlm auth", Title: "Which NTLM is accepted", System: "samba", Where: "[global] ntlm auth", Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "Rules local accounts; a domain user is ruled by the domain controller. It says nothing about anonymous callers.", Values: []Meaning{
			{Value: "ntlmv2-only", Means: "NTLMv2 alone."},
			{Value: "mschapv2-and-ntlmv2-only", Means: "NTLMv2, and MS-CHAPv2 from programs that vouch for it."},
			{Value: "ntlmv1-permitted", Means: "NTLMv1 and later; yes means the same."},
			{Value: "disabled", Means: "No NTLM for local accounts. Anonymous sessions still work."},
		}, Defaults: []Default{
			{Value: "ntlmv2-only", Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: []interface{}{"ntlmv2-only", "no", "false", "0", "off", "mschapv2-and-ntlmv2-only", "disabled"}, Compare: "one-of", Why: "An NTLMv1 answer can be broken."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Value: "ntlmv2-only", Who: "old printers and media players", What: "those that know NTLMv1 alone are refused", Certainty: "documented", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Scope: Scope{Roles: []model.Role{"standalone", "domain-controller"}}, Values: []interface{}{"ntlmv2-only", "no", "false", "0", "off", "mschapv2-and-ntlmv2-only"}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess"}, WrongPassword: true, Why: "NTLMv1 and LM are refused", Sources: []string{"M samba-4.17.12"}},
			{Scope: Scope{Roles: []model.Role{"member"}}, Values: []interface{}{"ntlmv2-only", "no", "false", "0", "off", "mschapv2-and-ntlmv2-only"}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess"}, Maybe: "an account of the domain is ruled by its domain controller", Why: "NTLMv1 and LM are refused to accounts of this host", Sources: []string{"D samba"}},
			{Scope: Scope{Roles: []model.Role{"standalone", "domain-controller"}}, Values: []interface{}{"disabled"}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Why: "NTLM is refused", Sources: []string{"M samba-4.17.12"}},
			{Scope: Scope{Roles: []model.Role{"member"}}, Values: []interface{}{"disabled"}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Maybe: "an account of the domain is ruled by its domain controller", Why: "NTLM is refused to accounts of this host", Sources: []string{"D samba"}},
		}, Reach: "everyone", Related: []string{"lanman auth", "raw NTLMv2 auth"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "lanman auth", Title: "LAN Manager passwords", System: "samba", Where: "[global] lanman auth", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "The oldest and weakest logon.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "It can be broken in minutes."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Values: []interface{}{false}, Packages: []string{"lm"}, WrongPassword: true, Why: "LM is refused", Sources: []string{"S samba"}},
		}, Reach: "everyone", Sources: []string{"M samba-4.17.12"}},
		{ID: "raw NTLMv2 auth", Title: "NTLMv2 outside its envelope", System: "samba", Where: "[global] raw NTLMv2 auth", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "An SMB1 logon without protection against relaying.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "It can be relayed."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Values: []interface{}{false}, Packages: []string{"ntlmv2"}, Raw: true, Why: "NTLMv2 outside NTLMSSP is refused", Sources: []string{"M samba-4.17.12"}},
		}, Reach: "everyone", Sources: []string{"M samba-4.17.12"}},
		{ID: "config backend", Title: "Where the configuration lives", System: "samba", Where: "[global] config backend", Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "With registry, the file says little and net conf holds the rest.", Defaults: []Default{
			{Value: "file", Sources: []string{"M samba-4.17.12"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"registry shares"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "registry shares", Title: "Shares from the registry", System: "samba", Where: "[global] registry shares", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Shares that the file does not show are read from the registry, where net conf keeps them. include = registry and config backend = registry switch it on. A shown share may not be all there is.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"config backend"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "hosts allow", Title: "Addresses that may connect at all", System: "samba", Where: "[global] hosts allow", Aliases: []string{"allow hosts"}, Type: "list", Applies: Scope{Products: []string{"samba"}}, Summary: "Everybody else is turned away before the logon. The server's own loopback address stays allowed unless hosts deny names it.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Who: "clients on other addresses", What: "they cannot connect", Certainty: "documented", Sources: []string{"S samba"}},
		}, Governs: Governs{Session: true, Tree: true, Pipes: []string{"*"}, Discloses: []model.Disclosure{"files"}}, Reach: "everyone", Related: []string{"hosts deny", "IPC$:hosts allow"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "hosts deny", Title: "Addresses that may not connect at all", System: "samba", Where: "[global] hosts deny", Aliases: []string{"deny hosts"}, Type: "list", Applies: Scope{Products: []string{"samba"}}, Summary: "These are turned away before the logon.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Breaks: []Breakage{
			{Who: "clients on these addresses", What: "they cannot connect", Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Session: true, Tree: true, Pipes: []string{"*"}, Discloses: []model.Disclosure{"files"}}, Reach: "everyone", Related: []string{"hosts allow", "IPC$:hosts deny"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "IPC$:hosts allow", Title: "Addresses that may use IPC$", System: "samba", Where: "[IPC$] hosts allow", Aliases: []string{"[IPC$] hosts allow"}, Type: "list", Applies: Scope{Products: []string{"samba"}}, Summary: "Works, for strangers and users alike, while disk shares stay open. The best way to limit IPC$ to a network.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config, then smbcontrol smbd close-share 'IPC$'", Sources: []string{"M samba-4.17.12"}},
		}, Breaks: []Breakage{
			{Who: "clients on other addresses", What: "they lose every pipe", Services: []string{"server_srvsvc", "samr", "lsarpc"}, Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Tree: true, Pipes: []string{"*"}}, Reach: "everyone", Related: []string{"IPC$:hosts deny"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "IPC$:hosts deny", Title: "Addresses that may not use IPC$", System: "samba", Where: "[IPC$] hosts deny", Aliases: []string{"[IPC$] hosts deny"}, Type: "list", Applies: Scope{Products: []string{"samba"}}, Summary: "Works, for strangers and users alike. ALL closes IPC$ to everybody.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config, then smbcontrol smbd close-share 'IPC$'", Sources: []string{"M samba-4.17.12"}},
		}, Breaks: []Breakage{
			{Value: []interface{}{"ALL"}, Who: "every user", What: "share lists, printing, joins and rights stop working", Services: []string{"server_srvsvc", "samr", "lsarpc", "spoolss"}, Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Tree: true, Pipes: []string{"*"}}, Reach: "everyone", Unsuited: "it refuses signed-in users too", Related: []string{"IPC$:hosts allow"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "IPC$:valid users", Title: "Users that may use IPC$", System: "samba", Where: "[IPC$] valid users", Aliases: []string{"[IPC$] valid users"}, Type: "list", Applies: Scope{Products: []string{"samba"}}, Summary: "Works. Strangers are out unless the guest account is listed, and so is every user who is not.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config, then smbcontrol smbd close-share 'IPC$'", Sources: []string{"M samba-4.17.12"}},
		}, Breaks: []Breakage{
			{Who: "users who are not listed", What: "they lose every pipe", Services: []string{"server_srvsvc", "samr", "lsarpc"}, Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Tree: true, Pipes: []string{"*"}}, Reach: "everyone", Related: []string{"IPC$:invalid users"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "IPC$:invalid users", Title: "Users that may not use IPC$", System: "samba", Where: "[IPC$] invalid users", Aliases: []string{"[IPC$] invalid users"}, Type: "list", Applies: Scope{Products: []string{"samba"}}, Summary: "With the guest account listed, strangers are out and users stay. It closes as much as restrict anonymous 2.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config, then smbcontrol smbd close-share 'IPC$'", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Tree: true, Pipes: []string{"*"}}, Reach: "anonymous", Related: []string{"restrict anonymous", "guest account"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "IPC$:server smb encrypt", Title: "Encryption required on IPC$ alone", System: "samba", Where: "[IPC$] server smb encrypt", Aliases: []string{"[IPC$] server smb encrypt", "[IPC$] smb encrypt", "IPC$:smb encrypt"}, Type: "enum", Since: "4.14", Before: "smb encrypt", Applies: Scope{Products: []string{"samba"}}, Summary: "Required closes IPC$ to strangers, who have no key, and leaves disk shares as they are. Users need a client with SMB3 encryption.", Values: []Meaning{
			{Value: "default", Means: "As the whole server."},
			{Value: "required", Means: "Strangers are refused at the tree connect of IPC$."},
		}, Defaults: []Default{
			{Value: "default", Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config, then smbcontrol smbd close-share 'IPC$'", Sources: []string{"M samba-4.17.12"}},
		}, Breaks: []Breakage{
			{Value: "required", Who: "clients without SMB3 encryption", What: "they lose every pipe", Services: []string{"server_srvsvc", "samr", "lsarpc"}, Certainty: "documented", Sources: []string{"M samba-4.17.12"}},
		}, Ends: []End{
			{Values: []interface{}{"required", "mandatory", "force", "forced", "enforced", "require"}, IPC: true, Unencrypted: true, Why: "who does not encrypt is refused IPC$", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"required", "mandatory", "force", "forced", "enforced", "require"}, Who: []model.Identity{"user", "machine"}, IPC: true, While: []Cover{
				{Setting: "server smb encrypt", Values: []interface{}{"no", "false", "0", "off", "disabled"}, Why: "no encryption is offered"},
			}, Why: "nobody is offered encryption, because server smb encrypt is off in [global]", Sources: []string{"M samba-4.17.12"}},
			{Values: []interface{}{"desired"}, Who: []model.Identity{"anonymous", "guest", "unknown-user"}, IPC: true, Encrypts: true, Maybe: "smbd takes a plain request, and a client that then insists on encryption, as Samba's own do, fails for want of a key", Why: "strangers who could encrypt are asked to at IPC$", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Tree: true, Pipes: []string{"*"}}, Reach: "anonymous", Related: []string{"server smb encrypt", "restrict anonymous"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "IPC$:guest ok", Title: "A line that does nothing", System: "samba", Where: "[IPC$] guest ok", Aliases: []string{"[IPC$] guest ok", "IPC$:public"}, Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Samba overwrites it from restrict anonymous, in both directions.", Defaults: []Default{
			{Unknown: "Set by restrict anonymous, never by this line.", Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "never"},
		}, Reach: "anonymous", Notes: []string{"guest ok = no here is a common false comfort."}, Related: []string{"restrict anonymous"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "IPC$:available", Title: "A line that does nothing", System: "samba", Where: "[IPC$] available", Aliases: []string{"[IPC$] available"}, Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "IPC$ stays available whatever it says.", Defaults: []Default{
			{Value: true, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "never"},
		}, Reach: "everyone", Related: []string{"IPC$:hosts deny"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "IPC$:path", Title: "A line that does nothing", System: "samba", Where: "[IPC$] path", Aliases: []string{"[IPC$] path"}, Type: "string", Applies: Scope{Products: []string{"samba"}}, Summary: "Samba overwrites it.", Defaults: []Default{
			{Unknown: "Set by Samba.", Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "never"},
		}, Reach: "everyone", Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "ksmbd:restrict anonymous", Title: "How far anonymous callers get (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] restrict anonymous", Type: "int", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Already 1 closes IPC$, unlike Samba.", Values: []Meaning{
			{Value: 0, Means: "Strangers may connect to IPC$ with ksmbd-tools 3.5.3, and are refused there with 3.5.7."},
			{Value: 1, Means: "Strangers are refused IPC$ and every share without guest ok."},
			{Value: 2, Means: "The same as 1."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"S ksmbd-tools"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "at-least", Why: "Keeps strangers off IPC$."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Governs: Governs{Tree: true, Pipes: []string{"*"}}, Reach: "anonymous", Related: []string{"restrict anonymous"}, Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:map to guest", Title: "Turn failed logons into guests (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] map to guest", Type: "enum", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Never or bad user. What begins with bad user is that, and every other word is never, bad password and bad uid too.", Values: []Meaning{
			{Value: "never", Means: "A failed logon fails."},
			{Value: "bad user", Means: "An unknown name becomes guest; a wrong password fails."},
		}, Defaults: []Default{
			{Value: "never", Sources: []string{"S ksmbd-tools"}},
		}, Wanted: []Wanted{
			{Value: "never", Compare: "equal", Why: "A mistyped name should not be a way in."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Governs: Governs{Session: true}, Reach: "anonymous", Otherwise: "never", Related: []string{"map to guest"}, Sources: []string{"S ksmbd-tools", "M ksmbd-6.12"}},
		{ID: "ksmbd:guest account", Title: "The account of strangers (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] guest account", Type: "string", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Strangers work under this account.", Defaults: []Default{
			{Value: "nobody", Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Reach: "anonymous", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:guest ok", Title: "A share that takes strangers (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [SHARE] guest ok", Type: "bool", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "A disk share with it is readable without credentials.", Defaults: []Default{
			{Value: false, Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "ksmbd.control --reload", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Governs: Governs{Discloses: []model.Disclosure{"files"}}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:invalid users", Title: "Users that a share refuses (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [SHARE] invalid users", Type: "list", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Refuses the users named.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "ksmbd.control --reload", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Governs: Governs{Discloses: []model.Disclosure{"files"}}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:valid users", Title: "Users that a share takes (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [SHARE] valid users", Type: "list", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Takes only the users named.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "ksmbd.control --reload", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Governs: Governs{Discloses: []model.Disclosure{"files"}}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:server min protocol", Title: "Lowest dialect of the server (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] server min protocol", Type: "enum", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Refuses older dialects. There is no SMB1 and no SMB 2.0.2.", Values: []Meaning{
			{Value: "SMB2_10", Means: "SMB 2.1 and newer."},
			{Value: "SMB3_00", Means: "SMB 3.0 and newer."},
			{Value: "SMB3_02", Means: "SMB 3.0.2 and newer."},
			{Value: "SMB3_11", Means: "SMB 3.1.1 alone."},
		}, Defaults: []Default{
			{Value: "SMB2_10", Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:server signing", Title: "Signed messages (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] server signing", Type: "enum", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Whether messages are signed.", Values: []Meaning{
			{Value: "disabled", Means: "Signed where the client demands it."},
			{Value: "auto", Means: "Signed where the client demands it."},
			{Value: "enabled", Means: "A word that the tools know; no document says what it does."},
			{Value: "mandatory", Means: "Every session is signed."},
		}, Defaults: []Default{
			{Value: "disabled", Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:smb3 encryption", Title: "Encrypted sessions (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] smb3 encryption", Type: "enum", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Whether SMB3 sessions are encrypted. Old tools know yes and no alone, newer ones take both for disabled.", Values: []Meaning{
			{Value: "disabled", Means: "Never."},
			{Value: "auto", Means: "Where the client asks for it."},
			{Value: "mandatory", Means: "Every session; clients that cannot are refused."},
			{Value: "no", Means: "Never."},
			{Value: "yes", Means: "With old tools where the client can; with newer ones never."},
		}, Defaults: []Default{
			{Value: "auto", Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:hosts allow", Title: "Addresses that may connect (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] hosts allow", Type: "list", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Named in the manual page but not supported by the version read.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "ksmbd:hosts deny", Title: "Addresses that may not connect (ksmbd)", System: "ksmbd", Where: "ksmbd.conf [global] hosts deny", Type: "list", Applies: Scope{Products: []string{"ksmbd"}}, Summary: "Named in the manual page but not supported by the version read.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"S ksmbd-tools"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "ksmbd.control --shutdown, then ksmbd.mountd; a reload reads the shares again and not [global]", Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		}, Reach: "everyone", Sources: []string{"S ksmbd-tools"}},
		{ID: "server schannel", Title: "Netlogon insists on its secure channel", System: "samba", Where: "[global] server schannel", Type: "enum", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "Anything but yes lets a computer account speak Netlogon without it, which Zerologon uses. Exceptions by account are lines of their own.", Values: []Meaning{
			{Value: "yes", Means: "Required."},
			{Value: "auto", Means: "Offered."},
			{Value: "no", Means: "Not offered."},
		}, Defaults: []Default{
			{Value: true, Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: []interface{}{"yes", "true", "1", "on"}, Compare: "one-of", Why: "Without it a domain controller can be taken over (CVE-2020-1472)."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Values: []interface{}{"yes", "true", "1", "on"}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Interface: "netlogon", ExceptLine: "server require schannel:ACCOUNT", Maybe: "whether this client does was not seen: Samba's own log names the accounts that do not", Why: "Netlogon without its secure channel is refused", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"server schannel require seal"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "server require schannel:ACCOUNT", Title: "An account that may speak Netlogon without its secure channel", System: "samba", Where: "[global] server require schannel:ACCOUNT", Type: "bool", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "A line for one computer account, whose name with its $ stands for ACCOUNT. At no, server schannel = yes does not meet this account, which Zerologon then does.", Values: []Meaning{
			{Value: false, Means: "The account is excepted."},
			{Value: true, Means: "As without the line."},
		}, Defaults: []Default{
			{Value: true, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"server schannel"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "server schannel require seal", Title: "Netlogon insists on encryption", System: "samba", Where: "[global] server schannel require seal", Type: "bool", Since: "4.15", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "At no, signed Netlogon traffic is enough (CVE-2022-38023). Exceptions by account are lines of their own.", Defaults: []Default{
			{Value: true, Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: true, Compare: "equal", Why: "Signed alone can be forged with an old cipher."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Values: []interface{}{true}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Interface: "netlogon", ExceptLine: "server schannel require seal:ACCOUNT", Maybe: "whether this client does was not seen: Samba's own log names the accounts that do not", Why: "Netlogon that is signed alone is refused", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"server schannel"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "server schannel require seal:ACCOUNT", Title: "An account whose Netlogon need not be encrypted", System: "samba", Where: "[global] server schannel require seal:ACCOUNT", Type: "bool", Since: "4.15", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "A line for one computer account, whose name with its $ stands for ACCOUNT. At no, server schannel require seal = yes does not meet this account, and its Netlogon may be signed alone.", Values: []Meaning{
			{Value: false, Means: "The account is excepted."},
			{Value: true, Means: "As without the line."},
		}, Defaults: []Default{
			{Value: true, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"server schannel require seal"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "allow nt4 crypto", Title: "Netlogon takes the oldest cipher", System: "samba", Where: "[global] allow nt4 crypto", Type: "bool", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "At yes, clients of NT 4.0 with DES are let in to Netlogon.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "DES can be broken."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Values: []interface{}{false}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Interface: "netlogon", ExceptLine: "allow nt4 crypto:ACCOUNT", Maybe: "whether this client has a newer cipher was not seen", Why: "Netlogon with DES is refused", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"reject md5 clients"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "allow nt4 crypto:ACCOUNT", Title: "An account whose Netlogon may use the oldest cipher", System: "samba", Where: "[global] allow nt4 crypto:ACCOUNT", Type: "bool", Since: "4.15", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "A line for one computer account, whose name with its $ stands for ACCOUNT. At yes, allow nt4 crypto = no does not meet this account, if it is excepted from reject md5 clients, too.", Values: []Meaning{
			{Value: true, Means: "The account is excepted."},
			{Value: false, Means: "As without the line."},
		}, Defaults: []Default{
			{Value: false, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"allow nt4 crypto", "server reject md5 schannel:ACCOUNT"}, Sources: []string{"S samba"}},
		{ID: "reject md5 clients", Title: "Netlogon refuses MD5", System: "samba", Where: "[global] reject md5 clients", Type: "bool", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "At no, clients without AES are let in to Netlogon.", Defaults: []Default{
			{Value: false, Before: "4.14", Sources: []string{"M samba-releases"}},
			{Value: true, Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: true, Compare: "equal", Why: "The old channel can be forged (CVE-2022-38023)."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Ends: []End{
			{Values: []interface{}{true}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Interface: "netlogon", ExceptLine: "server reject md5 schannel:ACCOUNT", Maybe: "whether this client has AES was not seen", Why: "Netlogon without AES is refused", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"allow nt4 crypto"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "server reject md5 schannel:ACCOUNT", Title: "An account whose Netlogon need not have AES", System: "samba", Where: "[global] server reject md5 schannel:ACCOUNT", Type: "bool", Since: "4.15", Applies: Scope{Products: []string{"samba"}, Roles: []model.Role{"domain-controller"}}, Summary: "A line for one computer account, whose name with its $ stands for ACCOUNT. At no, reject md5 clients = yes does not meet this account.", Values: []Meaning{
			{Value: false, Means: "The account is excepted."},
			{Value: true, Means: "As without the line."},
		}, Defaults: []Default{
			{Value: true, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart samba", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"reject md5 clients", "allow nt4 crypto:ACCOUNT"}, Sources: []string{"S samba"}},
		{ID: "client ipc signing", Title: "Samba signs IPC$ as a client", System: "samba", Where: "[global] client ipc signing", Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "About this machine as a client. default is mandatory: connections to IPC$ of others are signed, so that a guest session there fails.", Defaults: []Default{
			{Value: "default", Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: []interface{}{"default", "mandatory", "required", "require", "force", "forced", "enforced"}, Compare: "one-of", Why: "Unsigned IPC$ connections can be taken over (Badlock)."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Side: "client", Reach: "everyone", Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "client min protocol", Title: "Lowest dialect of Samba as a client", System: "samba", Where: "[global] client min protocol", Type: "enum", Applies: Scope{Products: []string{"samba"}}, Summary: "About this machine as a client.", Defaults: []Default{
			{Value: "SMB2_02", Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: []interface{}{"smb2", "smb2_02", "smb2_10", "smb3", "smb3_00", "smb3_02", "smb3_11"}, Compare: "one-of", Why: "A client that speaks SMB1 can be pulled down to it."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Side: "client", Reach: "everyone", Related: []string{"server min protocol"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "usershare allow guests", Title: "Users may make shares for strangers", System: "samba", Where: "[global] usershare allow guests", Aliases: []string{"usershare", "usershares"}, Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "With it, and with usershare max shares above 0, a user without rights opens a folder to everybody; smb.conf does not show it. At no, smbd takes guest_ok from no usershare, old ones included, and they have what [global] guest ok gives.", Defaults: []Default{
			{Value: false, Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "What is open to strangers should be decided in one place."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Governs: Governs{Discloses: []model.Disclosure{"files"}}, Reach: "anonymous", Related: []string{"usershare max shares", "usershare path", "guest ok"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "usershare max shares", Title: "How many shares users may make", System: "samba", Where: "[global] usershare max shares", Type: "int", Applies: Scope{Products: []string{"samba"}}, Summary: "0 switches usershares off. Some distributions ship another number.", Defaults: []Default{
			{Unknown: "0 in Samba, 100 in Debian and Ubuntu: testparm on the host tells.", Sources: []string{"M samba-4.17.12", "S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"usershare allow guests"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "usershare path", Title: "Where usershares are kept", System: "samba", Where: "[global] usershare path", Type: "string", Applies: Scope{Products: []string{"samba"}}, Summary: "The folder whose files are shares that smb.conf does not show.", Defaults: []Default{
			{Unknown: "A folder of the distribution: testparm on the host tells.", Sources: []string{"M samba-4.17.12", "S samba"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"usershare max shares"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "usershare owner only", Title: "Users share their own folders alone", System: "samba", Where: "[global] usershare owner only", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "At no, a user may share what belongs to others.", Defaults: []Default{
			{Value: true, Sources: []string{"M samba-4.17.12", "S samba"}},
		}, Wanted: []Wanted{
			{Value: true, Compare: "equal", Why: "Sharing a folder should be for its owner to decide."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"usershare max shares"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "server smb transports", Title: "Which transports smbd listens on", System: "samba", Where: "[global] server smb transports", Type: "list", Since: "4.23", Applies: Scope{Products: []string{"samba"}}, Summary: "tcp (445), nbt (139) and, in newer releases, quic. Without one, its port is closed.", Defaults: []Default{
			{Unknown: "Releases before 4.23 have smb ports instead (445 139); newer ones default to tcp and nbt.", Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"server min protocol"}, Sources: []string{"S samba"}},
		{ID: "allow dcerpc auth level connect:samr", Title: "RPC that proves the caller once, on samr", System: "samba", Where: "[global] allow dcerpc auth level connect:samr", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "As allow dcerpc auth level connect, for samr alone; without this line samr refuses it whatever the general line says.", Defaults: []Default{
			{Value: false, Sources: []string{"S samba"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "A message without a signature can be changed on the way."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd and samba-dcerpcd", Sources: []string{"I ours"}},
		}, Reach: "everyone", Related: []string{"allow dcerpc auth level connect"}, Sources: []string{"S samba"}},
		{ID: "allow dcerpc auth level connect:lsarpc", Title: "RPC that proves the caller once, on lsarpc", System: "samba", Where: "[global] allow dcerpc auth level connect:lsarpc", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "As allow dcerpc auth level connect, for lsarpc alone; without this line lsarpc refuses it whatever the general line says.", Defaults: []Default{
			{Value: false, Sources: []string{"S samba"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "A message without a signature can be changed on the way."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd and samba-dcerpcd", Sources: []string{"I ours"}},
		}, Reach: "everyone", Related: []string{"allow dcerpc auth level connect"}, Sources: []string{"S samba"}},
		{ID: "allow dcerpc auth level connect:netlogon", Title: "RPC that proves the caller once, on netlogon", System: "samba", Where: "[global] allow dcerpc auth level connect:netlogon", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "As allow dcerpc auth level connect, for netlogon alone; without this line netlogon refuses it whatever the general line says.", Defaults: []Default{
			{Value: false, Sources: []string{"S samba"}},
		}, Wanted: []Wanted{
			{Value: false, Compare: "equal", Why: "A message without a signature can be changed on the way."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd and samba-dcerpcd", Sources: []string{"I ours"}},
		}, Reach: "everyone", Related: []string{"allow dcerpc auth level connect"}, Sources: []string{"S samba"}},
		{ID: "encrypt passwords", Title: "Passwords that travel hashed", System: "samba", Where: "[global] encrypt passwords", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Without it the server speaks no NTLM, so every logon with a name fails, save that a client may send its password in the clear over SMB1. Anonymous callers come in all the same. Deprecated.", Values: []Meaning{
			{Value: true, Means: "Passwords travel hashed."},
			{Value: false, Means: "Over SMB2 and later every logon with a name fails; over SMB1 passwords travel in the clear."},
		}, Defaults: []Default{
			{Value: true, Sources: []string{"M samba-4.17.12"}},
		}, Wanted: []Wanted{
			{Value: true, Compare: "equal", Why: "A password in the clear is anybody's."},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "smbcontrol smbd reload-config", Sources: []string{"M samba-4.17.12"}},
		}, Governs: Governs{Session: true}, Reach: "everyone", Related: []string{"map to guest", "server min protocol"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "domain logons", Title: "A domain controller in the manner of NT 4.0", System: "samba", Where: "[global] domain logons", Type: "bool", Applies: Scope{Products: []string{"samba"}}, Summary: "Without a server role, and with security at user, it makes the server a controller of an NT 4.0 domain, whose members and trusts may look at its accounts without credentials.", Defaults: []Default{
			{Value: false, Sources: []string{"S samba"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart smbd", Sources: []string{"S samba"}},
		}, Reach: "everyone", Related: []string{"restrict anonymous"}, Sources: []string{"S samba"}},
		{ID: "RestrictAnonymous", Title: "Limit what anonymous callers may list", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\RestrictAnonymous", Policy: "Network access: Do not allow anonymous enumeration of SAM accounts and shares", Aliases: []string{"Additional restrictions for anonymous connections"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "Stops anonymous callers from listing account names and shares. It does not close IPC$, except at 2 on Windows 2000.", Values: []Meaning{
			{Value: 0, Means: "Nothing is held back: anonymous callers may list accounts and shares as far as other settings let them."},
			{Scope: Scope{Until: "win2000"}, Value: 1, Means: "Listing accounts and shares is refused; translating a single name or SID still works, and IPC$ still connects."},
			{Scope: Scope{Since: "winxp"}, Value: 1, Means: "Listing accounts and shares is refused to anonymous callers. Domain controllers are not affected."},
			{Scope: Scope{Products: []string{"win2000"}}, Value: 2, Means: "Anonymous callers get nothing without an explicit permission; IPC$ itself no longer connects.", OnRequest: "it closes IPC$ to strangers, and Microsoft advises against it: not in mixed mode, not on domain controllers, and with SQL Server 1 is the value that the guides name"},
			{Scope: Scope{Since: "winxp"}, Value: 2, Means: "Was a Windows 2000 value: policy writes 0 or 1 here, and IPC$ stays connectable.", NotHere: true},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D Q143474", "D cc963223", "D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares", "M hives"}},
		}, Wanted: []Wanted{
			{Scope: Scope{Since: "winxp", Roles: []model.Role{"domain-controller"}}, Value: 0, Compare: "at-least", Why: "It has no effect on a domain controller of this release, so no value is asked for."},
			{Value: 1, Compare: "at-least", Why: "Keeps account and share lists from strangers."},
		}, TakesEffect: []Effect{
			{Scope: Scope{Until: "win2000"}, When: "reboot", How: "restart the computer", Sources: []string{"D Q143474", "D Q296405"}},
			{Scope: Scope{Since: "winxp"}, When: "now", How: "at once (a second copy next to the share permissions follows at the next start of the Server service)", Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares", "I ours"}},
		}, Breaks: []Breakage{
			{Scope: Scope{Until: "win2000"}, Value: 1, Who: "NT 4.0 trusts", What: "creating a trust ends with a domain controller that cannot be found", Services: []string{"samr", "lsarpc", "nt4_trust"}, Certainty: "documented", Sources: []string{"D Q178640"}},
			{Scope: Scope{Products: []string{"nt4"}}, Value: 1, Who: "joining a domain before SP4", What: "setup cannot join", Services: []string{"samr"}, Certainty: "documented", Sources: []string{"D Q184538"}},
			{Scope: Scope{Until: "win2000"}, Value: 1, Who: "users with an expired password", What: "the password cannot be changed before logon", Services: []string{"samr"}, Certainty: "documented", Sources: []string{"D Q176978", "D Q198941"}},
			{Scope: Scope{Products: []string{"nt4"}}, Value: 1, Who: "NT 4.0 Terminal Server", What: "profile path and home folder of terminal users are ignored", Services: []string{"ts_profiles_nt4"}, Certainty: "documented", Sources: []string{"D Q236185"}},
			{Scope: Scope{Until: "win2000"}, Value: 1, Who: "Exchange 5.x Administrator", What: "remote objects cannot be managed", Services: []string{"exchange_55"}, Certainty: "documented", Sources: []string{"D Q196398"}},
			{Scope: Scope{Until: "win2000"}, Value: 1, Who: "Metadirectory Services", What: "discovery as LocalSystem fails", Services: []string{"metadirectory_mms"}, Certainty: "documented", Sources: []string{"D Q260870"}},
			{Scope: Scope{Until: "win2000"}, Value: 1, Who: "web pages that pass a caller's logon on", What: "their queries to other servers become null sessions and fail", Services: []string{"iis_asp_doublehop"}, Certainty: "documented", Sources: []string{"D Q278836"}},
			{Scope: Scope{Products: []string{"nt4"}}, Value: 1, Who: "Remoteboot before SP4", What: "stops on backup controllers and members", Services: []string{"remoteboot_nt4"}, Certainty: "documented", Sources: []string{"D Q192126"}},
			{Scope: Scope{Products: []string{"nt4"}}, Value: 1, Who: "File and Print for NetWare", What: "setpass fails together with SYSKEY", Certainty: "documented", Sources: []string{"D Q243419"}},
			{Scope: Scope{Until: "win2000"}, Value: 1, Who: "SMS 1.x and 2.x", What: "the user wizard, network discovery and remote client installation fail", Services: []string{"sms_1x_2x"}, Certainty: "documented", Sources: []string{"D Q302413", "D Q311257"}},
			{Scope: Scope{Since: "winxp"}, Value: 1, Who: "users across a one-way trust", What: "access cannot be granted to users of the other domain by name", Services: []string{"lsarpc"}, Certainty: "documented", Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares"}},
			{Scope: Scope{Since: "winxp"}, Value: 1, Who: "anonymous browsing", What: "shares and printers are no longer listed", Services: []string{"server_srvsvc"}, Certainty: "documented", Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares"}},
			{Scope: Scope{Products: []string{"win2000"}}, Value: 2, Who: "trusts with NT 4.0", What: "accounts show as unknown and cannot be listed; the trust may have to be made again after going back", Services: []string{"samr", "lsarpc", "nt4_trust"}, Certainty: "documented", Sources: []string{"D Q296405"}},
			{Scope: Scope{Products: []string{"win2000"}}, Value: 2, Who: "NT 4.0 backup controllers", What: "they can no longer find the domain or replicate (events 3210, 7023, 8032)", Services: []string{"netlogon", "nt4_trust"}, Certainty: "documented", Sources: []string{"D Q293127"}},
			{Scope: Scope{Products: []string{"win2000"}}, Value: 2, Who: "terminal services licensing", What: "other servers get no licences", Services: []string{"ts_licensing"}, Certainty: "documented", Sources: []string{"D KB246261"}},
			{Scope: Scope{Products: []string{"win2000"}}, Value: 2, Who: "the master browser", What: "the machine can no longer hold the role", Services: []string{"browser"}, Certainty: "documented", Sources: []string{"3 MBSA"}},
			{Scope: Scope{Products: []string{"win2000"}}, Value: 2, Who: "the spooler", What: "it may hang where Everyone was taken off its folder", Services: []string{"spoolss"}, Certainty: "documented", Sources: []string{"D Q323909"}},
		}, Governs: Governs{Tree: true, Discloses: []model.Disclosure{"accounts", "groups", "password-policy", "shares"}}, Reach: "anonymous", Afar: &Afar{}, Notes: []string{"Domain controllers of NT 4.0 and Windows 2000 read it; from Server 2003 on they do not.", "Value 2 belongs to networks of Windows 2000 alone; Microsoft warned against it in mixed domains and on domain controllers.", "Before a fix, NT 4.0 still gave out the password policy at 1.", "Novell's NDS for NT ignores the value."}, Unknown: []string{"How 2 works inside Windows 2000; the article that says so could not be read.", "What NT 4.0 makes of 2, which it does not document."}, Related: []string{"RestrictAnonymousSAM", "restrict anonymous", "PreviousAnonymousRestriction"}, Sources: []string{"D Q143474", "D cc963223", "D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares", "D KB3034016", "D Q129457", "D Q278836", "D Q184018"}},
		{ID: "RestrictAnonymousSAM", Title: "Keep account lists from anonymous callers", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\RestrictAnonymousSAM", Policy: "Network access: Do not allow anonymous enumeration of SAM accounts", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "1 stops anonymous callers from listing accounts; 0 lets them. It says nothing about pipes.", Values: []Meaning{
			{Value: 0, Means: "Anonymous callers may list accounts, where they reach the samr pipe."},
			{Value: 1, Means: "Anonymous callers may not list accounts. Domain controllers are not affected."},
		}, Defaults: []Default{
			{Value: 1, Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts", "D jj852230", "M hives", "M HK 2.3.10.2"}},
		}, Wanted: []Wanted{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Value: 0, Compare: "at-least", Why: "It has no effect on a domain controller, so no value is asked for."},
			{Value: 1, Compare: "equal", Why: "Keeps account lists from strangers."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts"}},
		}, Breaks: []Breakage{
			{Value: 1, Who: "trusts with NT 4.0 domains", What: "they cannot be set up or used", Services: []string{"samr", "nt4_trust"}, Certainty: "documented", Sources: []string{"D jj852230"}},
			{Value: 1, Who: "Windows NT 3.51 and Windows 95 clients", What: "they cannot read accounts", Services: []string{"samr"}, Certainty: "documented", Sources: []string{"D jj852230"}},
		}, Governs: Governs{Pipes: []string{"samr"}, Discloses: []model.Disclosure{"accounts"}}, Reach: "anonymous", Afar: &Afar{}, Unknown: []string{"Whether NT 4.0 or Windows 2000 ever read it; no source says they do."}, Related: []string{"RestrictAnonymous", "RestrictRemoteSAM"}, Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts", "D jj852230"}},
		{ID: "EveryoneIncludesAnonymous", Title: "Count anonymous callers among Everyone", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\EveryoneIncludesAnonymous", Policy: "Network access: Let Everyone permissions apply to anonymous users", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "At 1 an anonymous caller holds every right given to Everyone.", Values: []Meaning{
			{Value: 0, Means: "Anonymous callers have only what is given to them by name."},
			{Value: 1, Means: "Anonymous callers have what Everyone has."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D SPS network-access-let-everyone-permissions-apply-to-anonymous-users", "D KB3034016", "M hives"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "What is shared with Everyone is not meant for strangers."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-access-let-everyone-permissions-apply-to-anonymous-users"}},
		}, Governs: Governs{Discloses: []model.Disclosure{"accounts", "groups", "files", "printers", "registry", "sids"}}, Reach: "anonymous", Finding: "everyone-includes-anonymous", Afar: &Afar{}, Related: []string{"RestrictAnonymous"}, Sources: []string{"D SPS network-access-let-everyone-permissions-apply-to-anonymous-users", "D KB3034016"}},
		{ID: "RestrictNullSessAccess", Title: "Anonymous callers reach listed pipes and shares only", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\RestrictNullSessAccess", Policy: "Network access: Restrict anonymous access to Named Pipes and Shares", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "At 1 anonymous callers open only what NullSessionPipes and NullSessionShares list; at 0 the lists do not matter and everything is open.", Values: []Meaning{
			{Value: 0, Means: "Every pipe and share takes anonymous callers, as far as its own permissions do."},
			{Value: 1, Means: "Only listed pipes and shares take anonymous callers."},
		}, Defaults: []Default{
			{Value: 1, Sources: []string{"D cc957461", "D Q122702", "D SPS network-access-restrict-anonymous-access-to-named-pipes-and-shares", "M hives"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "Without it the lists count for nothing."},
		}, TakesEffect: []Effect{
			{Scope: Scope{Until: "win2000"}, When: "reboot", How: "restart the computer", Sources: []string{"D Q122702"}},
			{Scope: Scope{Since: "winxp"}, When: "now", How: "at once", Sources: []string{"D SPS network-access-restrict-anonymous-access-to-named-pipes-and-shares"}},
		}, Breaks: []Breakage{
			{Value: 1, Who: "services that reach this host without credentials", What: "every pipe and share they use has to be listed", Services: []string{"localsystem_services_generic", "lmhosts_include"}, Certainty: "documented", Sources: []string{"D Q122702", "D Q124184"}},
		}, Governs: Governs{Pipes: []string{"*"}, Discloses: []model.Disclosure{"files"}}, Reach: "anonymous", Afar: &Afar{}, Notes: []string{"The NT 4.0 Resource Kit spelt it RestrictNullSessionAccess; that name does nothing."}, Related: []string{"NullSessionPipes", "NullSessionShares"}, Sources: []string{"D cc957461", "D Q122702", "D SPS network-access-restrict-anonymous-access-to-named-pipes-and-shares"}},
		{ID: "NullSessionPipes", Title: "Pipes open to anonymous callers", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\NullSessionPipes", Policy: "Network access: Named Pipes that can be accessed anonymously", PowerShell: "NullSessionPipes", Type: "REG_MULTI_SZ", Applies: Scope{Since: "nt4"}, Summary: "The list of pipes that an anonymous caller may open, besides those that the release opens by itself.", Defaults: []Default{
			{Scope: Scope{Products: []string{"nt4"}}, Value: []interface{}{"COMNAP", "COMNODE", "sql\\query", "spoolss", "LLSRPC", "epmapper", "locator"}, Sources: []string{"D Q175529"}},
			{Scope: Scope{Products: []string{"win2000"}}, Value: []interface{}{}, Unknown: "The default of the registry value on Windows 2000 was not read; see the table of built-in pipes.", Sources: []string{"U ours"}},
			{Scope: Scope{Since: "winxp", Until: "win2003r2"}, Value: []interface{}{}, Unknown: "Only the joint list of built-in and registry names is documented for this release.", Sources: []string{"D MS-SRVS 3.1.3"}},
			{Scope: Scope{Since: "win2008", Family: "server", Roles: []model.Role{"domain-controller"}}, Value: []interface{}{"netlogon", "samr", "lsarpc"}, Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously", "M HK 2.3.10.6"}},
			{Scope: Scope{Since: "vista"}, Value: []interface{}{}, Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously", "M hives"}},
		}, Wanted: []Wanted{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Value: []interface{}{"netlogon", "samr", "lsarpc", "browser"}, Compare: "subset", Why: "A domain controller needs three of them by design, and browser where that service is used."},
			{Scope: Scope{Since: "vista"}, Value: []interface{}{}, Compare: "subset", Why: "Nothing on a current server or workstation needs an anonymous pipe."},
			{Value: []interface{}{}, Compare: "subset", Why: "Every name on the list is a door for strangers."},
		}, TakesEffect: []Effect{
			{Scope: Scope{Until: "win2000"}, When: "now", How: "at once for new opens", Sources: []string{"D Q126645"}},
			{Scope: Scope{Since: "winxp"}, When: "now", How: "at once", Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		}, Breaks: []Breakage{
			{Value: []interface{}{}, Who: "whatever opens the removed pipes without credentials", What: "it is refused", Services: []string{"localsystem_services_generic", "sna_his", "ts_licensing", "license_logging"}, Certainty: "documented", Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously", "D Q167196"}},
			{Scope: Scope{Until: "win2003r2"}, Value: []interface{}{}, Who: "trusts between Windows Server 2003 domains in mixed mode", What: "they may break", Services: []string{"netlogon", "samr", "lsarpc", "nt4_trust"}, Certainty: "documented", Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
			{Scope: Scope{Products: []string{"nt4"}}, Value: []interface{}{}, Who: "printing", What: "queue windows say access denied once spoolss is gone", Services: []string{"spoolss"}, Certainty: "documented", Sources: []string{"D Q162695"}},
		}, Governs: Governs{Session: true, Pipes: []string{"*"}}, Reach: "anonymous", Afar: &Afar{}, Notes: []string{"Names count without \\pipe\\ and without regard to case; order does not matter.", "Emptying the list leaves the hard-coded pipes of NT 4.0 and Windows 2000 open.", "Write it whole and well formed: tools that kept only its first entry, or ended it wrongly, broke printing and SNA; more than 32 KiB stopped the Server service of NT 4.0.", "Adding a pipe here is a known way to keep a back door: Elastic has a rule for it."}, Related: []string{"RestrictNullSessAccess", "NullSessionShares", "AdjustedNullSessionPipes"}, Sources: []string{"D MS-SMB2 3.3.5.9", "D MS-SRVS 3.1.3", "D SPS network-access-named-pipes-that-can-be-accessed-anonymously", "D Q175529", "D Q126645", "D Q162695", "D Q167196", "M elastic ddab1f5f"}},
		{ID: "NullSessionShares", Title: "Shares open to anonymous callers", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\NullSessionShares", Policy: "Network access: Shares that can be accessed anonymously", PowerShell: "NullSessionShares", Type: "REG_MULTI_SZ", Applies: Scope{Since: "nt4"}, Summary: "The list of disk shares that an anonymous caller may open. IPC$ is never on it and connects all the same.", Defaults: []Default{
			{Scope: Scope{Until: "win2003r2"}, Value: []interface{}{"COMCFG", "DFS$"}, Unknown: "COMCFG and DFS$ come from one third-party text alone.", Sources: []string{"3 HSC"}},
			{Scope: Scope{Since: "vista"}, Value: []interface{}{}, Sources: []string{"D SPS network-access-shares-that-can-be-accessed-anonymously"}},
		}, Wanted: []Wanted{
			{Value: []interface{}{}, Compare: "subset", Why: "Files are not meant for strangers."},
		}, TakesEffect: []Effect{
			{Scope: Scope{Until: "win2000"}, When: "unknown", How: "not documented"},
			{Scope: Scope{Since: "winxp"}, When: "now", How: "at once", Sources: []string{"D SPS network-access-shares-that-can-be-accessed-anonymously"}},
		}, Breaks: []Breakage{
			{Value: []interface{}{}, Who: "lmhosts #INCLUDE at start-up and services without credentials", What: "they cannot read their share", Services: []string{"lmhosts_include", "localsystem_services_generic"}, Certainty: "documented", Sources: []string{"D Q124184"}},
		}, Governs: Governs{Session: true, Discloses: []model.Disclosure{"files"}}, Reach: "anonymous", Afar: &Afar{}, Notes: []string{"One guide writes it as REG_SZ; the type is REG_MULTI_SZ, and a wrong type makes Get-SmbServerConfiguration fail."}, Related: []string{"RestrictNullSessAccess", "NullSessionPipes"}, Sources: []string{"D SPS network-access-shares-that-can-be-accessed-anonymously", "D Q124184", "3 HSC"}},
		{ID: "TurnOffAnonymousBlock", Title: "Switch off the block on anonymous policy calls", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\TurnOffAnonymousBlock", Type: "REG_DWORD", Applies: Scope{Since: "win2003"}, Summary: "The meaning is upside down. Absent or 0 keeps the block on; any other value lets anonymous callers into the security policy again.", Values: []Meaning{
			{Value: 0, Means: "The block is on: on anything but a domain controller, anonymous callers cannot open the policy."},
			{Value: 1, Means: "The block is off."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D MS-LSAD 3.1.1.6.1"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "Anything else opens the security policy to strangers."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D MS-LSAD 3.1.1.6.1"}},
		}, Governs: Governs{Pipes: []string{"lsarpc"}, Discloses: []model.Disclosure{"sids", "trusts"}}, Reach: "anonymous", Afar: &Afar{}, Notes: []string{"There is no policy for it.", "NT 4.0, Windows 2000 and XP have neither the value nor the block: writing 0 there closes nothing.", "One benchmark tool tests anonymous name lookup with this value, which is another thing."}, Related: []string{"LSAAnonymousNameLookup"}, Sources: []string{"D MS-LSAD 3.1.1.6.1", "D MS-LSAD 3.1.4.4.1", "M wazuh"}},
		{ID: "PipeFirewallActive", Title: "Pipe firewall", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\PipeFirewallActive", Aliases: []string{"pipe firewall", "named pipe filter"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "At 1 only the pipes in AllowedPipes open, for everybody, signed in or not. With an empty list no pipe opens at all.", Values: []Meaning{
			{Value: 0, Means: "No filter."},
			{Value: 1, Means: "Only pipes in AllowedPipes open, for every caller."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D KB925890", "M hives"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once, without a restart", Sources: []string{"3 HSC 4.7.8"}},
		}, Breaks: []Breakage{
			{Value: 1, Who: "every service on a pipe that is not listed", What: "it stops", Services: []string{"server_srvsvc", "samr", "lsarpc", "netlogon", "spoolss", "svcctl", "winreg", "dfs_namespace"}, Certainty: "documented", Sources: []string{"3 HSC 4.7.8"}},
		}, Governs: Governs{Pipes: []string{"*"}}, Reach: "everyone", Unsuited: "it refuses signed-in users too, and whether current releases honour it is not known", Unknown: []string{"Whether the server of Vista and later honours it; try it on a spare host first."}, Related: []string{"AllowedPipes"}, Sources: []string{"D KB925890", "3 HSC 4.7.8"}},
		{ID: "AllowedPipes", Title: "Pipes that the pipe firewall lets through", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AllowedPipes", Type: "REG_MULTI_SZ", Applies: Scope{Since: "winxp"}, Summary: "Counts only while PipeFirewallActive is 1; it then holds for signed-in users too.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"D KB925890"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"3 HSC 4.7.8"}},
		}, Governs: Governs{Pipes: []string{"*"}}, Reach: "everyone", Unknown: []string{"Whether the server of Vista and later honours it."}, Related: []string{"PipeFirewallActive"}, Sources: []string{"D KB925890", "3 HSC 4.7.8"}},
		{ID: "RestrictRemoteSAM", Title: "Who may ask the account database from afar", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\RestrictRemoteSAM", Policy: "Network access: Restrict clients allowed to make remote calls to SAM", Type: "REG_SZ", Applies: Scope{Since: "win7"}, Summary: "A security descriptor in SDDL that every remote caller of the account database has to pass, signed-in users included.", Values: []Meaning{
			{Value: "", Means: "No check."},
			{Value: "O:BAG:BAD:(A;;RC;;;BA)", Means: "Administrators only."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win10-1607", Roles: []model.Role{"domain-controller"}}, Value: "", Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
			{Scope: Scope{Since: "win10-1607", Roles: []model.Role{"workstation", "member", "standalone"}}, Value: "O:SYG:SYD:(A;;RC;;;BA)", Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
			{Scope: Scope{Until: "win10-1511"}, Value: "", Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		}, Wanted: []Wanted{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Value: "", Compare: "no-filter", Why: "A filter on a domain controller can stop logons; Microsoft's baseline leaves domain controllers out."},
			{Value: "O:BAG:BAD:(A;;RC;;;BA)", Compare: "sddl", Why: "Ordinary users have no need to list accounts of this host."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		}, Breaks: []Breakage{
			{Who: "programs that check group membership from afar with an ordinary account", What: "access checks and look-ups of groups fail", Services: []string{"samr"}, Certainty: "possible", Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Who: "logons in the domain", What: "they can stop, DirectAccess with them", Services: []string{"samr"}, Certainty: "documented", Sources: []string{"3 defender-identity 434"}},
			{Who: "users of remote desktop", What: "their logon can be refused", Services: []string{"samr", "terminal_services"}, Certainty: "documented", Sources: []string{"3 defender-identity 221"}},
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Who: "Exchange", What: "it asks domain controllers for groups and accounts, and can stop", Services: []string{"samr"}, Certainty: "possible", Sources: []string{"I ours"}},
		}, Governs: Governs{Pipes: []string{"samr"}, Discloses: []model.Disclosure{"accounts", "groups", "password-policy"}}, Reach: "everyone", Unsuited: "it refuses signed-in users too; strangers are kept from the pipe itself", Afar: &Afar{}, Notes: []string{"Set RestrictRemoteSamAuditOnlyMode first and read events 16965 to 16969.", "Windows 7 to 10 1511 know it only after a 2017 update; Vista and Server 2008 do not.", "Microsoft Defender for Identity needs its own account beside administrators: that is not weak.", "A descriptor is judged by who may ask, not by its text.", "A blank value after it was set means no check."}, Unknown: []string{"Which programs break; the Microsoft article on it was seen by name only."}, Related: []string{"RestrictRemoteSamAuditOnlyMode", "RestrictAnonymousSAM"}, Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls", "M HK 2.3.10.11", "3 defender-identity"}},
		{ID: "RestrictRemoteSamAuditOnlyMode", Title: "Only log what RestrictRemoteSAM would refuse", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\RestrictRemoteSamAuditOnlyMode", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "At 1 the filter refuses nobody and writes event 16968 instead.", Values: []Meaning{
			{Value: 0, Means: "The filter works."},
			{Value: 1, Means: "The filter only logs."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "While it only logs, nothing is held back."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		}, Governs: Governs{Pipes: []string{"samr"}}, Reach: "everyone", Afar: &Afar{}, Related: []string{"RestrictRemoteSAM", "RestrictRemoteSamEventThrottlingWindow"}, Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		{ID: "RestrictRemoteSamEventThrottlingWindow", Title: "How often refused account calls are logged", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\RestrictRemoteSamEventThrottlingWindow", Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "Seconds between two log entries for the same kind of refusal.", Defaults: []Default{
			{Value: 900, Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once, without a restart", Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		}, Reach: "everyone", Afar: &Afar{}, Related: []string{"RestrictRemoteSAM"}, Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		{ID: "AutoShareServer", Title: "Make default disk shares on a server", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AutoShareServer", Policy: "MSS: (AutoShareServer) Enable Administrative Shares", PowerShell: "AutoShareServer", Aliases: []string{"Create hidden drive shares (server)"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4", Family: "server"}, Summary: "At 0 a server no longer makes C$, D$ … and ADMIN$. IPC$ stays.", Values: []Meaning{
			{Value: 0, Means: "No drive shares and no ADMIN$ after the next start of the Server service."},
			{Value: 1, Means: "The shares are made."},
		}, Defaults: []Default{
			{Value: 1, Sources: []string{"D KB954422"}},
		}, TakesEffect: []Effect{
			{Scope: Scope{Products: []string{"nt4"}}, When: "reboot", How: "restart the computer", Sources: []string{"D Q245117"}},
			{Scope: Scope{Since: "win2000"}, When: "service-restart", How: "restart the Server service", Sources: []string{"D KB954422"}},
		}, Breaks: []Breakage{
			{Value: 0, Who: "remote installation and management over ADMIN$", What: "SMS, MOM and other push installers lose their share", Services: []string{"sms_1x_2x", "sccm_current", "backup_exec", "veeam"}, Certainty: "possible", Sources: []string{"3 sophos-11459"}},
			{Value: 0, Who: "domain controllers and their clients", What: "logon and join symptoms are on record for missing administrative shares", Certainty: "possible", Sources: []string{"D KB842715"}},
			{Scope: Scope{Products: []string{"nt4"}}, Value: 0, Who: "the NetWare migration tool", What: "it cannot find the domain controller", Certainty: "documented", Sources: []string{"D Q172767"}},
			{Scope: Scope{Products: []string{"nt4"}}, Value: 0, Who: "Windows 9x server tools", What: "event descriptions are missing", Certainty: "documented", Sources: []string{"D Q219017"}},
		}, Reach: "everyone", Afar: &Afar{}, Notes: []string{"Sigma has a rule that reports this change.", "Missing administrative shares are also a sign of malware, Microsoft says."}, Related: []string{"AutoShareWks"}, Sources: []string{"D KB954422", "D Q185590", "D Q245117", "3 nsacyber", "D sigma registry_set_disable_administrative_share"}},
		{ID: "AutoShareWks", Title: "Make default disk shares on a workstation", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AutoShareWks", PowerShell: "AutoShareWorkstation", Aliases: []string{"Create hidden drive shares (workstation)", "AutoShareWorkstation"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4", Family: "client"}, Summary: "At 0 a workstation no longer makes C$, D$ … and ADMIN$. IPC$ stays.", Values: []Meaning{
			{Value: 0, Means: "No drive shares and no ADMIN$ after the next start of the Server service."},
			{Value: 1, Means: "The shares are made."},
		}, Defaults: []Default{
			{Value: 1, Sources: []string{"D KB954422"}},
		}, TakesEffect: []Effect{
			{Scope: Scope{Products: []string{"nt4"}}, When: "reboot", How: "restart the computer", Sources: []string{"D Q245117"}},
			{Scope: Scope{Since: "win2000"}, When: "service-restart", How: "restart the Server service", Sources: []string{"D KB954422"}},
		}, Breaks: []Breakage{
			{Value: 0, Who: "remote installation and management over ADMIN$", What: "push installers lose their share", Services: []string{"sms_1x_2x", "sccm_current"}, Certainty: "possible", Sources: []string{"3 sophos-11459", "D KB842715"}},
		}, Reach: "everyone", Afar: &Afar{}, Related: []string{"AutoShareServer"}, Sources: []string{"D KB954422", "D Q185590"}},
		{ID: "LSAAnonymousNameLookup", Title: "Let anonymous callers translate SIDs and names", System: "windows", Where: "[System Access] LSAAnonymousNameLookup", Policy: "Network access: Allow anonymous SID/Name translation", GptTmpl: "System Access/LSAAnonymousNameLookup", Aliases: []string{"anonymous SID/Name translation", "anonymous name lookup"}, Type: "policy", Applies: Scope{Since: "winxp"}, Summary: "Not a registry value but an entry for the anonymous SID on the policy object. At 1 a stranger can walk through the SIDs and learn every account name.", Values: []Meaning{
			{Value: 0, Means: "Anonymous callers may not translate."},
			{Value: 1, Means: "Anonymous callers may translate, as far as they reach the lsarpc pipe."},
		}, Defaults: []Default{
			{Scope: Scope{Until: "win2003r2", Roles: []model.Role{"domain-controller"}}, Value: 1, Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation"}},
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Value: 0, Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation"}},
			{Scope: Scope{Roles: []model.Role{"workstation", "member", "standalone"}}, Value: 0, Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "Name lookup gives away every account, one SID at a time."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation"}},
		}, Breaks: []Breakage{
			{Value: 0, Who: "trusts with NT 4.0", What: "names of the other side cannot be shown", Services: []string{"lsarpc", "nt4_trust"}, Certainty: "possible", Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation"}},
		}, Governs: Governs{Pipes: []string{"lsarpc"}, Discloses: []model.Disclosure{"sids"}}, Reach: "anonymous", Notes: []string{"The page that states the default for domain controllers since 2008 contradicts itself: its table says enabled, its list of changes says disabled. The list is taken.", "It can be read from afar in the policy object's permissions."}, Related: []string{"TurnOffAnonymousBlock"}, Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation", "D MS-GPSB 2.2.1", "3 tenable"}},
		{ID: "SrvsvcSessionInfo", Title: "Who may list the sessions of this server", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcSessionInfo", Aliases: []string{"NetCease"}, Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "A security descriptor for NetSessionEnum. Older defaults let every signed-in user see who is connected from where.", Defaults: []Default{
			{Scope: Scope{Since: "win10-1709"}, Unknown: "Hives from 1709 on grant interactive, service and batch users instead of all signed-in users; the descriptor itself is written by the system.", Sources: []string{"M hives", "3 netcease"}},
			{Scope: Scope{Until: "win2012r2"}, Unknown: "A Windows 7 hive grants all signed-in users; other releases were not seen.", Sources: []string{"M hives"}},
			{Unknown: "The build in which the default changed is not documented.", Sources: []string{"U netcease"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"sessions"}}, Reach: "everyone", Afar: &Afar{}, Notes: []string{"This is not a control against anonymous callers."}, Related: []string{"PreviousAnonymousRestriction", "SessionSecurityDescriptorRegenerated"}, Sources: []string{"3 netcease", "M hives"}},
		{ID: "SrvsvcShareConnect", Title: "Who may connect to shares in the Server service's own list", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcShareConnect", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of thirteen descriptors beside the main switches. A real hive with RestrictAnonymous 0 grants anonymous callers right 1 in five of them.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"shares"}}, Reach: "everyone", Afar: &Afar{}, Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcShareFileInfo", Title: "Who may list disk shares", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcShareFileInfo", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"shares"}}, Reach: "everyone", Afar: &Afar{}, Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcSharePrintInfo", Title: "Who may list print shares", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcSharePrintInfo", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"shares", "printers"}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcShareAdminInfo", Title: "Who may list administrative shares", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcShareAdminInfo", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"shares"}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcShareAdminConnect", Title: "Who may connect to administrative shares", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcShareAdminConnect", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcShareChange", Title: "Who may change shares", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcShareChange", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcConfigInfo", Title: "Who may read the server's configuration", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcConfigInfo", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"host-info"}}, Reach: "everyone", Afar: &Afar{}, Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcTransportEnum", Title: "Who may list the server's transports", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcTransportEnum", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"host-info"}}, Reach: "everyone", Afar: &Afar{}, Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcConnection", Title: "Who may list connections", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcConnection", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"sessions"}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcFile", Title: "Who may list open files", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcFile", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"sessions"}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcServerDiskEnum", Title: "Who may list disks", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcServerDiskEnum", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"host-info"}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "SrvsvcStatisticsInfo", Title: "Who may read statistics", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SrvsvcStatisticsInfo", Type: "REG_BINARY", Applies: Scope{Since: "winxp"}, Summary: "One of the thirteen descriptors of the Server service's second layer, checked after the main switches.", Defaults: []Default{
			{Unknown: "Written by the system; read it on the host.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the Server service", Sources: []string{"3 netcease"}},
		}, Governs: Governs{Pipes: []string{"srvsvc"}, Discloses: []model.Disclosure{"host-info"}}, Reach: "everyone", Related: []string{"PreviousAnonymousRestriction"}, Sources: []string{"M hives"}},
		{ID: "PreviousAnonymousRestriction", Title: "RestrictAnonymous as the Server service last saw it", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\PreviousAnonymousRestriction", Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "The system's own note, not a switch. Where it differs from RestrictAnonymous the Server service has not been started since the change.", Defaults: []Default{
			{Unknown: "Written by the system at the first start.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "the Server service writes it when it starts", Sources: []string{"I hives"}},
		}, Reach: "anonymous", Unknown: []string{"That the difference means a pending restart is an inference; no document says so."}, Related: []string{"RestrictAnonymous", "SrvsvcShareConnect"}, Sources: []string{"M hives", "I ours"}},
		{ID: "SessionSecurityDescriptorRegenerated", Title: "Mark of the newer session descriptor", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\DefaultSecurity\\SessionSecurityDescriptorRegenerated", Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "The system's own mark. It is 1 in a Windows 7 hive and 2 in hives whose session list is no longer open to every user.", Defaults: []Default{
			{Unknown: "Written by the system.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "written by the system"},
		}, Reach: "everyone", Related: []string{"SrvsvcSessionInfo"}, Sources: []string{"M hives"}},
		{ID: "AdjustedNullSessionPipes", Title: "Mark of a rewritten pipe list", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AdjustedNullSessionPipes", Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "The system's own mark, left when it rewrites NullSessionPipes, as Service Pack 1 of Windows Server 2003 did.", Defaults: []Default{
			{Unknown: "Written by the system; hives show 3 or nothing.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "written by the system"},
		}, Reach: "anonymous", Related: []string{"NullSessionPipes"}, Sources: []string{"M hives"}},
		{ID: "SMB1", Title: "SMB1 server", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\SMB1", Policy: "Configure SMB v1 server", PowerShell: "EnableSMB1Protocol", Aliases: []string{"SMB v1", "EnableSMB1Protocol", "smb1 server"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "vista"}, Summary: "Whether the oldest dialect is spoken. Switching it off does not close null sessions, which SMB2 has too.", Values: []Meaning{
			{Value: 0, Means: "SMB1 is off."},
			{Value: 1, Means: "SMB1 is on where its driver is installed."},
		}, Defaults: []Default{
			{Scope: Scope{Until: "win10-1703"}, Value: 1, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
			{Scope: Scope{Products: []string{"server-1709", "win2019", "server-1803", "server-1903", "server-1909", "server-2004", "server-20H2", "win2022", "server-23H2", "win2025"}}, Value: 0, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
			{Scope: Scope{Since: "win11-21H2", Family: "client"}, Value: 0, Unknown: "Not installed by default as far as the documents go; Home and Pro remove it after 15 unused days. Look whether the driver Services\\srv exists.", Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
			{Unknown: "Depends on the edition and on whether the driver Services\\srv is installed: look for it.", Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows", "M hives"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "Nothing current needs it, and it is the way in for worms."},
		}, TakesEffect: []Effect{
			{When: "reboot", How: "restart the computer", Sources: []string{"K ours"}},
		}, Breaks: []Breakage{
			{Value: 0, Who: "the network neighbourhood", What: "the computer browser goes with SMB1", Services: []string{"browser"}, Certainty: "documented", Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
			{Value: 0, Who: "old devices and programs", What: "those that speak SMB1 alone, and everything over \\PIPE\\LANMAN, stop", Services: []string{"rap_lanman"}, Certainty: "documented", Sources: []string{"D MS-RAP 2.1"}},
		}, Ends: []End{
			{Values: []interface{}{0}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "2.0.2", Why: "SMB1 is not answered", Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
		}, Audits: []Listen{
			{Setting: "AuditSmb1Access", Value: 1, Tells: "event 3000 names each client that speaks SMB1"},
		}, Governs: Governs{Pipes: []string{"LANMAN"}}, Reach: "everyone", Finding: "smb1-enabled", Afar: &Afar{Values: []interface{}{0}, NotOver: "NT LM 0.12"}, Notes: []string{"Judge an absent value by the driver: absent with a driver that starts means on; no driver at all means off. Auditors that ignore this are wrong in one direction or the other."}, Related: []string{"srv.Start", "MrxSmb10.Start", "MinSmb2Dialect"}, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows", "M HK 18.4.4", "M hives"}},
		{ID: "srv.Start", Title: "Driver of the SMB1 server", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\srv\\Start", Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "No such key means that the SMB1 server is not installed; 4 means that it never starts.", Values: []Meaning{
			{Value: 2, Means: "starts by itself"},
			{Value: 3, Means: "starts when asked"},
			{Value: 4, Means: "disabled"},
		}, Defaults: []Default{
			{Unknown: "Absent where SMB1 is not installed.", Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "reboot", How: "restart the computer"},
		}, Governs: Governs{Pipes: []string{"LANMAN"}}, Reach: "everyone", Related: []string{"SMB1"}, Sources: []string{"M hives"}},
		{ID: "MrxSmb10.Start", Title: "Driver of the SMB1 client", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\MrxSmb10\\Start", Policy: "Configure SMB v1 client driver", Type: "REG_DWORD", Applies: Scope{Since: "vista"}, Summary: "4 keeps this machine from speaking SMB1 to others.", Values: []Meaning{
			{Value: 2, Means: "starts by itself"},
			{Value: 3, Means: "starts when asked"},
			{Value: 4, Means: "disabled"},
		}, Defaults: []Default{
			{Unknown: "Absent where the SMB1 client is not installed.", Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
		}, Wanted: []Wanted{
			{Value: 4, Compare: "equal", Why: "A client that speaks SMB1 can be pulled down to it."},
		}, TakesEffect: []Effect{
			{When: "reboot", How: "restart the computer"},
		}, Side: "client", Reach: "everyone", Related: []string{"SMB1"}, Sources: []string{"M HK 18.4.3", "D WSD smbv1-not-installed-by-default-in-windows"}},
		{ID: "RequireSecuritySignature", Title: "Server insists on signed messages", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\RequireSecuritySignature", Policy: "Microsoft network server: Digitally sign communications (always)", PowerShell: "RequireSecuritySignature", Aliases: []string{"smb signing", "server signing required"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "Protects signed-in users against relaying. Anonymous and guest sessions are exempt, so it does not stop null sessions.", Values: []Meaning{
			{Value: 0, Means: "Signing when the client asks."},
			{Value: 1, Means: "Every signed-in session is signed; guests are refused."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win2000", Roles: []model.Role{"domain-controller"}}, Value: 1, Sources: []string{"D WSD smb-signing"}},
			{Scope: Scope{Products: []string{"win11-24H2", "win11-25H2"}}, Value: 1, Unknown: "Required on Enterprise, Pro and Education, not on Home: the edition decides.", Sources: []string{"D WSD smb-signing"}},
			{Scope: Scope{Products: []string{"win2025"}}, Value: 0, Unknown: "Two of Microsoft's pages disagree: outbound only (smb-signing, October 2024), and both directions (smb-security-hardening, September 2024). Probe the host.", Sources: []string{"D WSD smb-signing", "D WSD smb-security-hardening"}},
			{Value: 0, Sources: []string{"D WSD smb-signing", "M HK 2.3.9.2", "M hives"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "Unsigned logons can be relayed."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once, without a restart", Sources: []string{"D SPS microsoft-network-server-digitally-sign-communications-always"}},
		}, Breaks: []Breakage{
			{Value: 1, Who: "clients that cannot sign and guest access", What: "they are refused", Certainty: "documented", Sources: []string{"D WSD smb-signing"}},
		}, Ends: []End{
			{Values: []interface{}{1}, Unsigned: true, Why: "who does not sign is refused", Sources: []string{"D WSD smb-signing", "D MS-SMB2 3.3.5.5.3"}},
			{Values: []interface{}{1}, Who: []model.Identity{"guest", "unknown-user"}, Maybe: "the documents say that guests are refused, and the specification exempts them", Why: "signing is required, for which a guest has no key", Sources: []string{"D WSD smb-signing", "D MS-SMB2 3.3.5.5.3"}},
		}, Audits: []Listen{
			{Setting: "AuditClientDoesNotSupportSigning", Value: 1, Tells: "event 3021 names each client that cannot sign"},
		}, Reach: "everyone", CoveredBy: []Cover{
			{Setting: "EncryptData", Values: []interface{}{1}, Why: "every session is encrypted, which protects each message as signing would"},
		}, Finding: "signing-not-required", Related: []string{"EnableSecuritySignature", "LanmanWorkstation.RequireSecuritySignature"}, Sources: []string{"D WSD smb-signing", "D MS-SMB2 3.3.5.5.3", "M samba-4.17.12"}},
		{ID: "EnableSecuritySignature", Title: "Server offers signing over SMB1", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\EnableSecuritySignature", Policy: "Microsoft network server: Digitally sign communications (if client agrees)", PowerShell: "EnableSecuritySignature", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "Counts for SMB1 alone; SMB2 and later ignore it.", Values: []Meaning{
			{Value: 0, Means: "SMB1 does not offer signing."},
			{Value: 1, Means: "SMB1 offers signing."},
		}, Defaults: []Default{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Value: 1, Unknown: "Domain controllers sign by policy; this value's own default is not documented.", Sources: []string{"D WSD smb-signing"}},
			{Value: 0, Sources: []string{"M hives", "M HK 2.3.9.3"}},
		}, Wanted: []Wanted{
			{Scope: Scope{Until: "win2003r2"}, Value: 1, Compare: "equal", Why: "SMB1 is all that this release speaks, and without it nothing can be signed."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Related: []string{"RequireSecuritySignature"}, Sources: []string{"D WSD smb-signing"}},
		{ID: "LanmanWorkstation.RequireSecuritySignature", Title: "Client insists on signed messages", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanWorkstation\\Parameters\\RequireSecuritySignature", Policy: "Microsoft network client: Digitally sign communications (always)", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "Protects this machine when it is the client.", Values: []Meaning{
			{Value: 0, Means: "Signing when the server asks."},
			{Value: 1, Means: "Only signed sessions."},
		}, Defaults: []Default{
			{Scope: Scope{Products: []string{"win2025"}}, Value: 1, Sources: []string{"D WSD smb-signing"}},
			{Scope: Scope{Products: []string{"win11-24H2", "win11-25H2"}}, Value: 1, Unknown: "Not on Home: the edition decides.", Sources: []string{"D WSD smb-signing"}},
			{Value: 0, Sources: []string{"D WSD smb-signing", "M HK 2.3.8.1"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "An unsigned session can be taken over."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Audits: []Listen{
			{Setting: "LanmanWorkstation.AuditServerDoesNotSupportSigning", Value: 1, Tells: "event 31999 names each server that cannot sign"},
		}, Side: "client", Reach: "everyone", Related: []string{"RequireSecuritySignature"}, Sources: []string{"D WSD smb-signing"}},
		{ID: "LmCompatibilityLevel", Title: "Which logon answers are accepted", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\LmCompatibilityLevel", Policy: "Network security: LAN Manager authentication level", Aliases: []string{"LAN Manager authentication level"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "From 0 (anything) to 5 (NTLMv2 alone). Anonymous callers send no answer at all.", Values: []Meaning{
			{Value: 0, Means: "Sends LM and NTLM, accepts everything."},
			{Value: 1, Means: "As 0, with NTLMv2 session security where both know it."},
			{Value: 2, Means: "Sends NTLM, accepts everything."},
			{Scope: Scope{Since: "win11-24H2"}, Value: 3, Means: "Sends NTLMv2. NTLMv1 is gone from this release, so only NTLMv2 is left."},
			{Value: 3, Means: "Sends NTLMv2, accepts everything."},
			{Value: 4, Means: "Sends NTLMv2 and refuses LM."},
			{Value: 5, Means: "Sends NTLMv2 and refuses LM and NTLM."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win2008r2", Family: "server"}, Value: 3, Sources: []string{"D SPS network-security-lan-manager-authentication-level"}},
			{Scope: Scope{Since: "win11-24H2"}, Value: 3, Sources: []string{"D KB5066470", "D SPS network-security-lan-manager-authentication-level"}},
			{Unknown: "The documents leave it undefined for this release.", Sources: []string{"D SPS network-security-lan-manager-authentication-level"}},
		}, Wanted: []Wanted{
			{Value: 5, Compare: "equal", Why: "Older answers can be broken."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-lan-manager-authentication-level"}},
		}, Breaks: []Breakage{
			{Value: 5, Who: "old printers and media players", What: "those that know NTLMv1 alone are refused", Certainty: "documented", Sources: []string{"D MS-NLMP"}},
		}, Ends: []End{
			{Scope: Scope{Roles: []model.Role{"standalone", "workstation", "domain-controller"}}, AtLeast: 4, Packages: []string{"lm"}, Why: "LM is refused", Sources: []string{"D SPS network-security-lan-manager-authentication-level"}},
			{Scope: Scope{Roles: []model.Role{"member"}}, AtLeast: 4, Packages: []string{"lm"}, Maybe: "an account of the domain is ruled by its domain controller", Why: "LM is refused to accounts of this host", Sources: []string{"D SPS network-security-lan-manager-authentication-level"}},
			{Scope: Scope{Roles: []model.Role{"standalone", "workstation", "domain-controller"}}, AtLeast: 5, Packages: []string{"ntlmv1", "ntlmv1-ess"}, Why: "NTLMv1 is refused", Sources: []string{"D SPS network-security-lan-manager-authentication-level", "D MS-NLMP"}},
			{Scope: Scope{Roles: []model.Role{"member"}}, AtLeast: 5, Packages: []string{"ntlmv1", "ntlmv1-ess"}, Maybe: "an account of the domain is ruled by its domain controller", Why: "NTLMv1 is refused to accounts of this host", Sources: []string{"D SPS network-security-lan-manager-authentication-level", "D MS-NLMP"}},
		}, Reach: "everyone", Notes: []string{"Windows 11 24H2 and Server 2025 have no NTLMv1 at any level."}, Unknown: []string{"That it leaves anonymous logons alone follows from their having no credentials; no document says it."}, Related: []string{"RequireSecuritySignature"}, Sources: []string{"D SPS network-security-lan-manager-authentication-level", "D KB5066470"}},
		{ID: "EnableGuestAccount", Title: "Guest account", System: "windows", Where: "[System Access] EnableGuestAccount", Policy: "Accounts: Guest account status", GptTmpl: "System Access/EnableGuestAccount", Aliases: []string{"guest account status"}, Type: "policy", Applies: Scope{Since: "nt4"}, Summary: "With the account enabled, a caller with an unknown name may be let in as guest.", Values: []Meaning{
			{Value: 0, Means: "The guest account is disabled: a failed logon fails."},
			{Value: 1, Means: "The guest account is enabled."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win2003"}, Value: 0, Sources: []string{"D SPS accounts-guest-account-status"}},
			{Scope: Scope{Products: []string{"win2000"}}, Value: 0, Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3"}},
			{Unknown: "The default of this release depends on the edition and was not read.", Sources: []string{"U ours"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "Guests are strangers with a badge."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS accounts-guest-account-status"}},
		}, Breaks: []Breakage{
			{Value: 0, Who: "\"guest only\" sharing", What: "network logons fail where ForceGuest is 1", Certainty: "documented", Sources: []string{"D SPS accounts-guest-account-status"}},
		}, Governs: Governs{Session: true}, Reach: "anonymous", Finding: "guest-enabled", Related: []string{"ForceGuest", "AllowInsecureGuestAuth"}, Sources: []string{"D SPS accounts-guest-account-status", "D WSD enable-insecure-guest-logons-smb2-and-smb3", "D MS-GPSB 2.2.1"}},
		{ID: "NewGuestName", Title: "Name of the guest account", System: "windows", Where: "[System Access] NewGuestName", Policy: "Accounts: Rename guest account", GptTmpl: "System Access/NewGuestName", Type: "policy", Applies: Scope{Since: "winxp"}, Summary: "Benchmarks ask for another name; it changes nothing about what a guest may do.", Defaults: []Default{
			{Value: "Guest", Sources: []string{"D MS-GPSB 2.2.1"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once"},
		}, Reach: "anonymous", Related: []string{"EnableGuestAccount"}, Sources: []string{"D MS-GPSB 2.2.1", "M HK 2.3.1.5"}},
		{ID: "ForceGuest", Title: "Sharing and security model", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\ForceGuest", Policy: "Network access: Sharing and security model for local accounts", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "At 1 every network logon with a local account becomes guest.", Values: []Meaning{
			{Value: 0, Means: "Local users come in as themselves."},
			{Value: 1, Means: "Local users come in as guest."},
		}, Defaults: []Default{
			{Scope: Scope{Products: []string{"winxp"}}, Unknown: "1 on machines outside a domain and 0 inside one, as far as known: read the value.", Sources: []string{"U ours"}},
			{Value: 0, Sources: []string{"M hives", "M HK 2.3.10.13"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "Otherwise nobody can be told from a guest."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once"},
		}, Governs: Governs{Session: true}, Reach: "everyone", Afar: &Afar{Values: []interface{}{0}}, Related: []string{"EnableGuestAccount"}, Sources: []string{"D SPS accounts-guest-account-status", "M hives"}},
		{ID: "AllowInsecureGuestAuth", Title: "This client accepts guest logons", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanWorkstation\\Parameters\\AllowInsecureGuestAuth", Policy: "Enable insecure guest logons", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\AllowInsecureGuestAuth"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win10-1507"}, Summary: "About this machine as a client. It opens nothing on this machine's own shares.", Values: []Meaning{
			{Value: 0, Means: "Guest logons to other servers are refused."},
			{Value: 1, Means: "They are accepted."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win2019", Family: "server"}, Value: 0, Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3"}},
			{Scope: Scope{Family: "server"}, Value: 1, Sources: []string{"I ours"}},
			{Scope: Scope{Products: []string{"win11-24H2", "win11-25H2"}}, Value: 0, Unknown: "Home still allows it.", Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3"}},
			{Scope: Scope{Since: "win10-1709"}, Unknown: "Refused on Enterprise, Education and Pro for Workstations, allowed on Home and Pro: the edition decides.", Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3"}},
			{Value: 1, Sources: []string{"I ours"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "A guest session has neither signing nor encryption."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once"},
		}, Side: "client", Reach: "everyone", Afar: &Afar{}, Related: []string{"EnableGuestAccount"}, Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3", "M HK 18.6.8.1"}},
		{ID: "AllowNullSessionFallback", Title: "LocalSystem falls back to a null session", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\AllowNullSessionFallback", Policy: "Network security: Allow LocalSystem NULL session fallback", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "About this machine as a client; at 1 its services may make null sessions to others.", Values: []Meaning{
			{Value: 0, Means: "No fallback."},
			{Value: 1, Means: "Services may fall back to a null session."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"M HK 2.3.11.2"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "It makes null sessions that others then have to allow."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Afar: &Afar{}, Related: []string{"RestrictAnonymous"}, Sources: []string{"M HK 2.3.11.2"}},
		{ID: "PreWindows2000Members", Title: "Pre-Windows 2000 Compatible Access", System: "windows", Where: "the members of S-1-5-32-554", Aliases: []string{"Pre-Windows 2000 Compatible Access", "S-1-5-32-554"}, Type: "members", Applies: Scope{Since: "win2000", Roles: []model.Role{"domain-controller"}}, Summary: "Whoever is in this group may read accounts and groups of the domain. With Everyone or Anonymous Logon in it, strangers may, wherever they reach the pipes.", Defaults: []Default{
			{Scope: Scope{Products: []string{"win2000"}}, Unknown: "Chosen at promotion: Everyone or nobody.", Sources: []string{"D MS-SAMR 3.1.4.2"}},
			{Scope: Scope{Since: "win2003", Until: "win2003r2"}, Unknown: "Chosen at promotion: Everyone with Anonymous Logon, or Authenticated Users.", Sources: []string{"D MS-SAMR 3.1.4.2"}},
			{Scope: Scope{Since: "win2008"}, Value: []interface{}{"S-1-5-11"}, Sources: []string{"D MS-SAMR 3.1.4.2"}},
			{Unknown: "Not documented for this release.", Sources: []string{"U ours"}},
		}, Wanted: []Wanted{
			{Value: []interface{}{"S-1-5-11"}, Compare: "subset", Why: "Only those who signed in have a reason to read the directory."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Breaks: []Breakage{
			{Value: []interface{}{}, Who: "old programs and trusts that read the directory without credentials", What: "they see nothing", Services: []string{"samr", "sms_1x_2x"}, Certainty: "possible", Sources: []string{"D Q302413"}},
		}, Governs: Governs{Pipes: []string{"samr", "lsarpc"}, Discloses: []model.Disclosure{"accounts", "groups", "password-policy", "sids", "trusts"}}, Reach: "anonymous", Related: []string{"RestrictAnonymousSAM", "NullSessionPipes"}, Sources: []string{"D MS-SAMR 3.1.4.2", "D Q302413"}},
		{ID: "dSHeuristics", Title: "Anonymous operations over LDAP", System: "windows", Where: "dSHeuristics of CN=Directory Service,CN=Windows NT,CN=Services, seventh character", Aliases: []string{"fLDAPBlockAnonOps"}, Type: "string", Applies: Scope{Since: "win2000", Roles: []model.Role{"domain-controller"}}, Summary: "Not IPC$, but the same data by another door. With 2 as its seventh character, strangers may search the directory as far as permissions go.", Defaults: []Default{
			{Unknown: "Without the character, anonymous search is off from functional level 2003 on, and on below it.", Sources: []string{"D MS-ADTS 6.1.1.2.4.1.2"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "anonymous", Related: []string{"PreWindows2000Members"}, Sources: []string{"D MS-ADTS 6.1.1.2.4.1.2", "D MS-ADTS 5.1.3"}},
		{ID: "RestrictRemoteClients", Title: "Restrict unauthenticated RPC", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Rpc\\RestrictRemoteClients", Policy: "Restrict Unauthenticated RPC clients", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "No protection of IPC$ at any value. Microsoft's pages exempt named pipes from all of it; one specification says that 2 covers them.", Values: []Meaning{
			{Value: 0, Means: "No restriction."},
			{Value: 1, Means: "Anonymous RPC is refused, except over named pipes and for interfaces that ask to be exempt."},
			{Value: 2, Means: "Contradictory: one specification lets no call without RPC authentication pass, over pipes as well; Microsoft's own pages exempt named pipes here too. No protection of IPC$ is counted."},
		}, Defaults: []Default{
			{Scope: Scope{Family: "server"}, Value: 0, Sources: []string{"D MS-RPCE 3.1.1.1.3"}},
			{Scope: Scope{Family: "client"}, Value: 1, Sources: []string{"D MS-RPCE 3.1.1.1.3"}},
			{Unknown: "Not documented for this release.", Sources: []string{"U ours"}},
		}, TakesEffect: []Effect{
			{When: "reboot", How: "restart the computer", Sources: []string{"D win32 rpc-interface-restrict"}},
		}, Breaks: []Breakage{
			{Value: 2, Who: "services over pipes that rely on the SMB session alone", What: "printing, for one, uses no RPC authentication and may stop where the specification is right", Services: []string{"spoolss"}, Certainty: "possible", Sources: []string{"D MS-RPRN 2.1", "D MS-RPCE 3.1.1.1.3"}},
			{Value: 1, Who: "clients that ask the endpoint mapper over TCP without credentials", What: "they need EnableAuthEpResolution", Services: []string{"epmapper"}, Certainty: "documented", Sources: []string{"D MS-RPCE 3.1.1.1.3"}},
		}, Reach: "anonymous", Notes: []string{"Benchmarks count it as protection; for IPC$ it is none."}, Unknown: []string{"Whether 2 covers named pipes on any release: the pages contradict each other."}, Related: []string{"NullSessionPipes"}, Sources: []string{"D win32 rpc-interface-restrict", "D cc781010", "D aa995844", "M impacket 2166", "D MS-RPCE 3.1.1.1.3"}},
		{ID: "LanmanServer.Start", Title: "Server service", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Start", Aliases: []string{"LanmanServer", "Server service"}, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "IPC$ exists because this service makes it. Disabled, there is no IPC$, no share and no pipe from afar.", Values: []Meaning{
			{Value: 2, Means: "starts by itself"},
			{Value: 3, Means: "starts when asked"},
			{Value: 4, Means: "disabled: no IPC$, no shares"},
		}, Defaults: []Default{
			{Value: 2, Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "stop the service", Sources: []string{"D KB3034016"}},
		}, Breaks: []Breakage{
			{Value: 4, Who: "everything that is shared or managed from afar", What: "files, printers, remote management; on NT 4.0 also Net Logon, which depends on it", Services: []string{"server_srvsvc", "spoolss", "svcctl", "winreg", "netlogon", "browser"}, Certainty: "documented", Sources: []string{"3 smallvoid", "D Q175529"}},
		}, Governs: Governs{Session: true, Tree: true, Pipes: []string{"*"}, Discloses: []model.Disclosure{"files"}}, Reach: "everyone", Unsuited: "it takes every share and pipe from everybody", Related: []string{"AutoShareServer", "PipeFirewallActive"}, Sources: []string{"D KB3034016", "3 smallvoid", "M hives"}},
		{ID: "Spooler.Start", Title: "Print spooler service", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Spooler\\Start", Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "Without it there is no spoolss pipe.", Values: []Meaning{
			{Value: 2, Means: "starts by itself"},
			{Value: 3, Means: "starts when asked"},
			{Value: 4, Means: "disabled"},
		}, Defaults: []Default{
			{Value: 2, Sources: []string{"M hives"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "stop the service"},
		}, Breaks: []Breakage{
			{Value: 4, Who: "printing", What: "no printing from or through this machine", Services: []string{"spoolss"}, Certainty: "documented", Sources: []string{"D MS-RPRN 2.1"}},
		}, Governs: Governs{Pipes: []string{"spoolss"}, Discloses: []model.Disclosure{"printers"}}, Reach: "everyone", Sources: []string{"M hives", "D MS-RPRN 2.1"}},
		{ID: "RemoteRegistry.Start", Title: "Remote registry service", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\RemoteRegistry\\Start", Type: "REG_DWORD", Applies: Scope{Since: "win2000"}, Summary: "Without it there is no winreg pipe.", Values: []Meaning{
			{Value: 2, Means: "starts by itself"},
			{Value: 3, Means: "starts when asked"},
			{Value: 4, Means: "disabled"},
		}, Defaults: []Default{
			{Unknown: "Differs by release and family; read it on the host.", Sources: []string{"U ours"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "stop the service"},
		}, Breaks: []Breakage{
			{Value: 4, Who: "remote management that reads the registry", What: "it stops", Services: []string{"winreg"}, Certainty: "documented", Sources: []string{"D MS-RRP 2.1"}},
		}, Governs: Governs{Pipes: []string{"winreg"}, Discloses: []model.Disclosure{"registry"}}, Reach: "everyone", Sources: []string{"D MS-RRP 2.1", "D Q281770"}},
		{ID: "RpcProtocols", Title: "Transports of the print spooler", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Printers\\RPC\\RpcProtocols", Type: "REG_DWORD", Applies: Scope{Since: "win11-22H2"}, Summary: "Which transports the spooler listens on. Since Windows 11 22H2 it is TCP unless pipes are asked for.", Values: []Meaning{
			{Value: 3, Means: "named pipes"},
			{Value: 5, Means: "TCP"},
			{Value: 7, Means: "both"},
		}, Defaults: []Default{
			{Value: 5, Sources: []string{"D print-rpc"}},
		}, Wanted: []Wanted{
			{Value: 5, Compare: "equal", Why: "TCP carries RPC authentication; the pipe relies on the SMB session."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the spooler", Sources: []string{"I ours"}},
		}, Breaks: []Breakage{
			{Value: 5, Who: "older print clients", What: "they cannot reach the printer over a pipe", Services: []string{"spoolss"}, Certainty: "possible", Sources: []string{"D print-rpc"}},
		}, Governs: Governs{Pipes: []string{"spoolss"}, Discloses: []model.Disclosure{"printers"}}, Reach: "everyone", Sources: []string{"D print-rpc"}},
		{ID: "AllowedExactPaths", Title: "Registry paths open from afar", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\SecurePipeServers\\winreg\\AllowedExactPaths\\Machine", Policy: "Network access: Remotely accessible registry paths", Type: "REG_MULTI_SZ", Applies: Scope{Since: "winxp"}, Summary: "Paths that the winreg pipe gives out without regard to the permissions of the winreg key.", Defaults: []Default{
			{Value: []interface{}{"System\\CurrentControlSet\\Control\\ProductOptions", "System\\CurrentControlSet\\Control\\Server Applications", "Software\\Microsoft\\Windows NT\\CurrentVersion"}, Sources: []string{"D SPS network-access-remotely-accessible-registry-paths"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once, without a restart", Sources: []string{"D SPS network-access-remotely-accessible-registry-paths"}},
		}, Breaks: []Breakage{
			{Value: []interface{}{}, Who: "Configuration Manager and other remote management", What: "it cannot read the registry", Services: []string{"winreg", "sccm_current"}, Certainty: "documented", Sources: []string{"D SPS network-access-remotely-accessible-registry-paths"}},
		}, Governs: Governs{Pipes: []string{"winreg"}, Discloses: []model.Disclosure{"registry"}}, Reach: "everyone", Related: []string{"RemoteRegistry.Start"}, Sources: []string{"D SPS network-access-remotely-accessible-registry-paths", "M HK 2.3.10.8"}},
		{ID: "SmbServerNameHardeningLevel", Title: "Server checks the name that clients meant", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\SmbServerNameHardeningLevel", Policy: "Microsoft network server: Server SPN target name validation level", PowerShell: "SmbServerNameHardeningLevel", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "Against relaying; nothing to do with anonymous callers.", Values: []Meaning{
			{Value: 0, Means: "The name is not looked at."},
			{Value: 1, Means: "A name that the client sends has to fit; clients that send none are let through."},
			{Value: 2, Means: "Clients have to send a name, and it has to fit."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D SPS microsoft-network-server-server-spn-target-name-validation-level", "M HK 2.3.9.5"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "at-least", Why: "Makes relayed logons fail, at 1 those alone whose client sends a name."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once, without a restart", Sources: []string{"D SPS microsoft-network-server-server-spn-target-name-validation-level"}},
		}, Breaks: []Breakage{
			{Value: 1, Who: "clients that use an alias", What: "names from a hosts file, DNS aliases, translated addresses and virtual addresses are refused", Certainty: "documented", Sources: []string{"D SPS microsoft-network-server-server-spn-target-name-validation-level"}},
		}, Ends: []End{
			{AtLeast: 2, NoName: true, Why: "who does not say which server it means is refused", Sources: []string{"D SPS microsoft-network-server-server-spn-target-name-validation-level"}},
			{AtLeast: 1, Named: true, Maybe: "whether the name that it asks for is one of this host's is not known here", Why: "the name that a client means has to fit", Sources: []string{"D SPS microsoft-network-server-server-spn-target-name-validation-level"}},
		}, Audits: []Listen{
			{Setting: "AuditClientSpnSupport", Value: 1, Tells: "events 3024 to 3026 name each client whose name does not fit"},
		}, Reach: "everyone", Related: []string{"RequireSecuritySignature"}, Sources: []string{"D SPS microsoft-network-server-server-spn-target-name-validation-level", "M HK 2.3.9.5"}},
		{ID: "RejectUnencryptedAccess", Title: "Refuse clients that cannot encrypt", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\RejectUnencryptedAccess", PowerShell: "RejectUnencryptedAccess", Type: "REG_DWORD", Applies: Scope{Since: "win8"}, Summary: "Counts where encryption is switched on for the server or a share.", Defaults: []Default{
			{Value: 1, Sources: []string{"D MS-SMB2 3.3.1.5"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Ends: []End{
			{Values: []interface{}{1}, Unencrypted: true, While: []Cover{
				{Setting: "EncryptData", Values: []interface{}{1}, Why: "every session is encrypted"},
			}, Why: "who cannot encrypt is refused", Sources: []string{"D MS-SMB2 3.3.1.5"}},
		}, Reach: "everyone", Related: []string{"EncryptData"}, Sources: []string{"D MS-SMB2 3.3.1.5"}},
		{ID: "EncryptData", Title: "Encrypt every session", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\EncryptData", PowerShell: "EncryptData", Type: "REG_DWORD", Applies: Scope{Since: "win8"}, Summary: "At 1 the server asks for SMB3 encryption on every session.", Values: []Meaning{
			{Value: 0, Means: "Sessions are encrypted where a share or the client asks for it."},
			{Value: 1, Means: "Every session is encrypted; who cannot is refused while RejectUnencryptedAccess is 1."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D MS-SMB2 3.3.1.5"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Ends: []End{
			{Values: []interface{}{1}, Unencrypted: true, While: []Cover{
				{Setting: "RejectUnencryptedAccess", Values: []interface{}{1}, Why: "who cannot encrypt is refused"},
			}, Why: "every session is encrypted", Sources: []string{"D MS-SMB2 3.3.1.5"}},
		}, Audits: []Listen{
			{Setting: "AuditClientDoesNotSupportEncryption", Value: 1, Tells: "event 3022 names each client that cannot encrypt"},
		}, Governs: Governs{Session: true}, Reach: "everyone", Unknown: []string{"Whether an anonymous session is then refused by every release; the specification leaves cases open."}, Related: []string{"RejectUnencryptedAccess"}, Sources: []string{"D MS-SMB2 3.3.1.5", "D MS-SMB2 3.3.5.2.1.1"}},
		{ID: "MinSmb2Dialect", Title: "Lowest dialect of the server", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\MinSmb2Dialect", PowerShell: "Smb2DialectMin", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanServer\\MinSmb2Dialect"}, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "Refuses older dialects. Null sessions exist in all of them.", Values: []Meaning{
			{Value: 514, Means: "2.0.2"},
			{Value: 528, Means: "2.1"},
			{Value: 768, Means: "3.0"},
			{Value: 770, Means: "3.0.2"},
			{Value: 785, Means: "3.1.1"},
		}, Defaults: []Default{
			{Value: 514, Sources: []string{"D policy-csp lanmanserver"}},
		}, Wanted: []Wanted{
			{Value: 768, Compare: "at-least", Why: "Older dialects have no protection against downgrade."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Ends: []End{
			{Values: []interface{}{528}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "2.1", NotOlder: "2.0.2", Why: "older dialects of SMB2 and SMB3 are not answered", Sources: []string{"D policy-csp lanmanserver"}},
			{Values: []interface{}{768}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "3.0", NotOlder: "2.0.2", Why: "older dialects of SMB2 and SMB3 are not answered", Sources: []string{"D policy-csp lanmanserver"}},
			{Values: []interface{}{770}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "3.0.2", NotOlder: "2.0.2", Why: "older dialects of SMB2 and SMB3 are not answered", Sources: []string{"D policy-csp lanmanserver"}},
			{Values: []interface{}{785}, Who: []model.Identity{"anonymous", "guest", "unknown-user", "user", "machine", "opaque", "unknown"}, Older: "3.1.1", NotOlder: "2.0.2", Why: "older dialects of SMB2 and SMB3 are not answered", Sources: []string{"D policy-csp lanmanserver"}},
		}, Reach: "everyone", Notes: []string{"It does not stop SMB1."}, Related: []string{"SMB1"}, Sources: []string{"D policy-csp lanmanserver", "M wazuh", "M msft-baseline"}},
		{ID: "AuditInsecureGuestLogon", Title: "Log guest logons", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AuditInsecureGuestLogon", PowerShell: "AuditInsecureGuestLogon", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanServer\\AuditInsecureGuestLogon"}, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "At 1 a logon as guest is written to the log.", Defaults: []Default{
			{Value: 0, Sources: []string{"I msft-baseline"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "So that guests are seen."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Sources: []string{"M msft-baseline"}},
		{ID: "EnableAuthRateLimiter", Title: "Slow down wrong passwords", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\EnableAuthRateLimiter", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanServer\\EnableAuthRateLimiter"}, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "Each failed logon is answered late.", Defaults: []Default{
			{Value: 1, Sources: []string{"M msft-baseline", "M impacket"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "Makes guessing slow."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Related: []string{"InvalidAuthenticationDelayTimeInMs"}, Sources: []string{"M msft-baseline"}},
		{ID: "InvalidAuthenticationDelayTimeInMs", Title: "Delay after a wrong password", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\InvalidAuthenticationDelayTimeInMs", PowerShell: "InvalidAuthenticationDelayTimeInMs", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanServer\\InvalidAuthenticationDelayTimeInMs"}, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "Milliseconds. Scanners see the delay as a time-out if they are impatient.", Defaults: []Default{
			{Value: 2000, Sources: []string{"M msft-baseline"}},
		}, Wanted: []Wanted{
			{Value: 2000, Compare: "at-least", Why: "Makes guessing slow."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Related: []string{"EnableAuthRateLimiter"}, Sources: []string{"M msft-baseline"}},
		{ID: "RestrictGuestAccess", Title: "Keep strangers out of a log", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\System\\RestrictGuestAccess", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "One value a log. At 1 guests and anonymous callers cannot read it.", Values: []Meaning{
			{Value: 0, Means: "Guests may read the log."},
			{Value: 1, Means: "Guests and anonymous callers may not."},
		}, Defaults: []Default{
			{Value: 1, Sources: []string{"D MS-EVEN 3.1.1.2"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "Logs are not meant for strangers."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Governs: Governs{Pipes: []string{"eventlog"}, Discloses: []model.Disclosure{"logs"}}, Reach: "anonymous", Afar: &Afar{}, Sources: []string{"D MS-EVEN 3.1.1.2"}},
		{ID: "AuditLogon", Title: "Log who signs in", System: "windows", Where: "Advanced Audit Policy\\Logon/Logoff\\Logon", Policy: "Audit Logon", AuditPolicy: "0CCE9215-69AE-11D9-BED3-505054503030", Type: "policy", Applies: Scope{Since: "vista"}, Summary: "Event 4624 for each session, the anonymous ones too, and 4625 for each refusal. What is not logged proves nothing by its absence; observe --audit takes the policy.", Values: []Meaning{
			{Value: 0, Means: "Nothing is logged."},
			{Value: 1, Means: "What was let in is logged."},
			{Value: 2, Means: "What was refused is logged."},
			{Value: 3, Means: "Both are logged."},
		}, Defaults: []Default{
			{Unknown: "auditpol /get /category:* on the host tells.", Sources: []string{"D AUD event-4624"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Sources: []string{"D AUD event-4624"}},
		{ID: "AuditFileShare", Title: "Log who opens shares", System: "windows", Where: "Advanced Audit Policy\\Object Access\\File Share", Policy: "Audit File Share", AuditPolicy: "0CCE9224-69AE-11D9-BED3-505054503030", Type: "policy", Applies: Scope{Since: "vista"}, Summary: "Event 5140 once a session for each share that is opened, IPC$ too. What is not logged proves nothing by its absence; observe --audit takes the policy.", Values: []Meaning{
			{Value: 0, Means: "Nothing is logged."},
			{Value: 1, Means: "What was let in is logged."},
			{Value: 2, Means: "What was refused is logged."},
			{Value: 3, Means: "Both are logged."},
		}, Defaults: []Default{
			{Unknown: "auditpol /get /category:* on the host tells.", Sources: []string{"D AUD event-5140"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Sources: []string{"D AUD event-5140"}},
		{ID: "AuditDetailedFileShare", Title: "Log who opens pipes and files", System: "windows", Where: "Advanced Audit Policy\\Object Access\\Detailed File Share", Policy: "Audit Detailed File Share", AuditPolicy: "0CCE9244-69AE-11D9-BED3-505054503030", Type: "policy", Applies: Scope{Since: "win7"}, Summary: "Event 5145 for each pipe and file that is opened, by name. What is not logged proves nothing by its absence; observe --audit takes the policy.", Values: []Meaning{
			{Value: 0, Means: "Nothing is logged."},
			{Value: 1, Means: "What was let in is logged."},
			{Value: 2, Means: "What was refused is logged."},
			{Value: 3, Means: "Both are logged."},
		}, Defaults: []Default{
			{Unknown: "auditpol /get /category:* on the host tells.", Sources: []string{"D AUD event-5145"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Sources: []string{"D AUD event-5145"}},
		{ID: "AuditClientDoesNotSupportSigning", Title: "Log clients that cannot sign", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AuditClientDoesNotSupportSigning", PowerShell: "AuditClientDoesNotSupportSigning", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanServer\\AuditClientDoesNotSupportSigning"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win2008"}, Summary: "At 1 event 3021 names each client that cannot sign. Older releases know it after the updates of September 2025.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D policy-csp lanmanserver", "D KB5066913"}},
		}, Wanted: []Wanted{
			{Scope: Scope{Since: "win11-24H2"}, Value: 1, Compare: "equal", Why: "So that required signing breaks nobody unseen."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Related: []string{"RequireSecuritySignature", "AuditClientDoesNotSupportEncryption"}, Sources: []string{"D policy-csp lanmanserver", "D KB5066913", "M wazuh"}},
		{ID: "AuditClientDoesNotSupportEncryption", Title: "Log clients that cannot encrypt", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AuditClientDoesNotSupportEncryption", PowerShell: "AuditClientDoesNotSupportEncryption", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanServer\\AuditClientDoesNotSupportEncryption"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "At 1 event 3022 names each client that cannot encrypt.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D policy-csp lanmanserver"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "So that required encryption breaks nobody unseen."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Related: []string{"EncryptData"}, Sources: []string{"D policy-csp lanmanserver", "M wazuh"}},
		{ID: "AuditClientSpnSupport", Title: "Log clients by the server name that they meant", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AuditClientSpnSupport", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanServer\\AuditClientSpnSupport"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win2008"}, Summary: "At 1 events 3024 to 3026 name clients that send no name, an unknown one or an empty one. Releases know it after the updates of September 2025.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D KB5066913"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Notes: []string{"It shows whom SmbServerNameHardeningLevel would refuse."}, Related: []string{"SmbServerNameHardeningLevel"}, Sources: []string{"D KB5066913"}},
		{ID: "LanmanWorkstation.RequireEncryption", Title: "This client insists on encryption", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\RequireEncryption", Aliases: []string{"RequireEncryption"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "About this machine as a client. At 1 it speaks to no server without SMB3 encryption.", Values: []Meaning{
			{Value: 0, Means: "Encryption where the server asks."},
			{Value: 1, Means: "Every connection of this client is encrypted."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D policy-csp lanmanworkstation"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Breaks: []Breakage{
			{Value: 1, Who: "servers without SMB3", What: "this machine cannot reach them", Certainty: "documented", Sources: []string{"D policy-csp lanmanworkstation"}},
		}, Audits: []Listen{
			{Setting: "LanmanWorkstation.AuditServerDoesNotSupportEncryption", Value: 1, Tells: "event 31998 names each server that cannot encrypt"},
		}, Side: "client", Reach: "everyone", Related: []string{"EncryptData"}, Sources: []string{"D policy-csp lanmanworkstation"}},
		{ID: "EnableMailslots", Title: "Remote mailslots of the server", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\EnableMailslots", PowerShell: "EnableMailslots", Aliases: []string{"HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\Bowser\\EnableMailslots"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "Remote mailslots carry no authentication; the computer browser used them. Off unless switched on.", Values: []Meaning{
			{Value: 0, Means: "Remote mailslots are off."},
			{Value: 1, Means: "They are on."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D WSD smb-security-hardening"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "They take messages from anybody."},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Unknown: []string{"Which of the two places the server reads first; benchmarks ask for the policy's."}, Sources: []string{"D WSD smb-security-hardening", "M wazuh"}},
		{ID: "HardenedPaths.NETLOGON", Title: "Hardened path of NETLOGON", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\NetworkProvider\\HardenedPaths\\\\\\*\\NETLOGON", Policy: "Hardened UNC Paths", Aliases: []string{"HardenedPaths", "hardened UNC paths", "UNC hardening"}, Type: "REG_SZ", Applies: Scope{Since: "vista"}, Summary: "About this machine as a client of its domain. It asks for mutual authentication and integrity before logon scripts are read.", Defaults: []Default{
			{Value: "", Sources: []string{"D KB3000483"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Notes: []string{"Domain members since Windows 10 harden NETLOGON and SYSVOL by themselves, Microsoft's article on MS15-011 says; the policy writes it out."}, Related: []string{"HardenedPaths.SYSVOL"}, Sources: []string{"D KB3000483"}},
		{ID: "HardenedPaths.SYSVOL", Title: "Hardened path of SYSVOL", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\NetworkProvider\\HardenedPaths\\\\\\*\\SYSVOL", Policy: "Hardened UNC Paths", Type: "REG_SZ", Applies: Scope{Since: "vista"}, Summary: "About this machine as a client of its domain. It asks for mutual authentication and integrity before policies are read.", Defaults: []Default{
			{Value: "", Sources: []string{"D KB3000483"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Related: []string{"HardenedPaths.NETLOGON"}, Sources: []string{"D KB3000483"}},
		{ID: "RpcAuthnLevelPrivacyEnabled", Title: "Print spooler insists on encrypted RPC", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Print\\RpcAuthnLevelPrivacyEnabled", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "At 1 the spooler takes printing from afar only over RPC that is authenticated and encrypted. It ends anonymous use of spoolss for printing.", Values: []Meaning{
			{Value: 0, Means: "Unauthenticated RPC is let through."},
			{Value: 1, Means: "Packet privacy is required."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win11-22H2"}, Value: 1, Sources: []string{"D KB4599464"}},
			{Unknown: "1 after the updates of September 2021; what is installed decides.", Sources: []string{"D KB4599464"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "Without it the pipe takes print requests that prove nothing."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the spooler", Sources: []string{"I ours"}},
		}, Breaks: []Breakage{
			{Value: 1, Who: "printing over pipes from clients without a trust", What: "error 0x0000011b", Services: []string{"spoolss"}, Certainty: "documented", Sources: []string{"D KB4599464"}},
		}, Reach: "everyone", Related: []string{"RpcProtocols", "RpcUseNamedPipeProtocol"}, Sources: []string{"D KB4599464", "D print-rpc"}},
		{ID: "RpcUseNamedPipeProtocol", Title: "This print client uses named pipes", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Printers\\RPC\\RpcUseNamedPipeProtocol", Policy: "Configure RPC connection settings", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-22H2"}, Summary: "About this machine as a client. At 1 it prints over the pipe instead of TCP.", Values: []Meaning{
			{Value: 0, Means: "TCP."},
			{Value: 1, Means: "Named pipes."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D print-rpc"}},
		}, Wanted: []Wanted{
			{Value: 0, Compare: "equal", Why: "TCP carries RPC authentication; the pipe relies on the SMB session."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the spooler", Sources: []string{"I ours"}},
		}, Side: "client", Reach: "everyone", Related: []string{"RpcProtocols"}, Sources: []string{"D print-rpc"}},
		{ID: "RpcAuthentication", Title: "RPC authentication of this print client", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Printers\\RPC\\RpcAuthentication", Policy: "Configure RPC connection settings", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-22H2"}, Summary: "About this machine as a client. The benchmarks ask for the default, 0, which authenticates where it can.", Values: []Meaning{
			{Value: 0, Means: "The default: authentication where the transport has it."},
			{Value: 1, Means: "Authentication is on."},
			{Value: 2, Means: "Authentication is off."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"M wazuh"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "at-most", Why: "At 2 print requests prove nothing."},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the spooler", Sources: []string{"I ours"}},
		}, Side: "client", Reach: "everyone", Related: []string{"RpcUseNamedPipeProtocol"}, Sources: []string{"M wazuh"}},
		{ID: "ForceKerberosForRpc", Title: "Print spooler takes Kerberos alone", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Printers\\RPC\\ForceKerberosForRpc", Policy: "Configure RPC listener settings", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-22H2"}, Summary: "At 1 printing from afar needs Kerberos; NTLM is refused.", Values: []Meaning{
			{Value: 0, Means: "Kerberos or NTLM."},
			{Value: 1, Means: "Kerberos alone."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D print-rpc"}},
		}, TakesEffect: []Effect{
			{When: "service-restart", How: "restart the spooler", Sources: []string{"I ours"}},
		}, Breaks: []Breakage{
			{Value: 1, Who: "clients outside the domain", What: "they cannot print", Services: []string{"spoolss"}, Certainty: "documented", Sources: []string{"D print-rpc"}},
		}, Reach: "everyone", Related: []string{"RpcProtocols"}, Sources: []string{"D print-rpc"}},
		{ID: "NTLMMinServerSec", Title: "Weakest NTLM session that this server takes", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\NTLMMinServerSec", Policy: "Network security: Minimum session security for NTLM SSP based (including secure RPC) servers", Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "0x20080000 (537395200) asks for NTLMv2 session security and 128 bits. It says nothing about anonymous callers.", Values: []Meaning{
			{Value: 0, Means: "Nothing is asked for."},
			{Value: 536870912, Means: "128-bit encryption."},
			{Value: 537395200, Means: "NTLMv2 session security and 128-bit encryption."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win7"}, Value: 536870912, Sources: []string{"D MS-NLMP", "M HK"}},
			{Value: 0, Sources: []string{"M HK"}},
		}, Wanted: []Wanted{
			{Value: 537395200, Compare: "equal", Why: "Weaker sessions can be changed on the way."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-minimum-session-security-for-ntlm-ssp-based-including-secure-rpc-servers"}},
		}, Ends: []End{
			{Bits: 524288, Packages: []string{"lm", "ntlmv1"}, Maybe: "it counts where a program asks NTLM for session security; whether SMB does is not documented", Why: "NTLM without extended session security is refused", Sources: []string{"D SPS network-security-minimum-session-security-for-ntlm-ssp-based-including-secure-rpc-servers"}},
		}, Reach: "everyone", Related: []string{"NTLMMinClientSec"}, Sources: []string{"D SPS network-security-minimum-session-security-for-ntlm-ssp-based-including-secure-rpc-servers", "M HK"}},
		{ID: "NTLMMinClientSec", Title: "Weakest NTLM session that this client takes", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\NTLMMinClientSec", Policy: "Network security: Minimum session security for NTLM SSP based (including secure RPC) clients", Type: "REG_DWORD", Applies: Scope{Since: "nt4"}, Summary: "As NTLMMinServerSec, for this machine as a client.", Values: []Meaning{
			{Value: 0, Means: "Nothing is asked for."},
			{Value: 536870912, Means: "128-bit encryption."},
			{Value: 537395200, Means: "NTLMv2 session security and 128-bit encryption."},
		}, Defaults: []Default{
			{Scope: Scope{Since: "win7"}, Value: 536870912, Sources: []string{"D MS-NLMP", "M HK"}},
			{Value: 0, Sources: []string{"M HK"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-minimum-session-security-for-ntlm-ssp-based-including-secure-rpc-clients"}},
		}, Ends: []End{
			{Bits: 524288, Packages: []string{"lm", "ntlmv1"}, Maybe: "it counts where a program asks NTLM for session security; whether SMB does is not documented", Why: "this machine takes no NTLM without extended session security", Sources: []string{"D SPS network-security-minimum-session-security-for-ntlm-ssp-based-including-secure-rpc-clients"}},
		}, Side: "client", Reach: "everyone", Notes: []string{"Benchmarks ask for 537395200."}, Related: []string{"NTLMMinServerSec"}, Sources: []string{"D SPS network-security-minimum-session-security-for-ntlm-ssp-based-including-secure-rpc-clients", "M HK"}},
		{ID: "AuditReceivingNTLMTraffic", Title: "Log NTLM that comes in", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\AuditReceivingNTLMTraffic", Policy: "Network security: Restrict NTLM: Audit Incoming NTLM Traffic", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "At 2 event 8003 names who would be refused. Anonymous sessions are NTLM too.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Domain accounts are logged."},
			{Value: 2, Means: "All accounts are logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"M HK"}},
		}, Wanted: []Wanted{
			{Value: 2, Compare: "equal", Why: "So that NTLM can be switched off knowingly."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-restrict-ntlm-audit-incoming-ntlm-traffic"}},
		}, Reach: "everyone", Related: []string{"RestrictSendingNTLMTraffic"}, Sources: []string{"D SPS network-security-restrict-ntlm-audit-incoming-ntlm-traffic", "M HK"}},
		{ID: "RestrictSendingNTLMTraffic", Title: "NTLM of this client", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\RestrictSendingNTLMTraffic", Policy: "Network security: Restrict NTLM: Outgoing NTLM traffic to remote servers", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "About this machine as a client. 1 logs, 2 refuses.", Values: []Meaning{
			{Value: 0, Means: "Allowed."},
			{Value: 1, Means: "Logged."},
			{Value: 2, Means: "Refused."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"M HK"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-restrict-ntlm-outgoing-ntlm-traffic-to-remote-servers"}},
		}, Breaks: []Breakage{
			{Value: 2, Who: "servers that know NTLM alone", What: "this machine cannot reach them: printers, old storage, names that have no Kerberos name", Certainty: "documented", Sources: []string{"D SPS network-security-restrict-ntlm-outgoing-ntlm-traffic-to-remote-servers"}},
		}, Ends: []End{
			{Values: []interface{}{2}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Except: "ClientAllowedNTLMServers", Logged: []Doubt{
				{Scope: Scope{Since: "win11-24H2"}, Why: "the log says that NTLM was considered there, which this release of Windows writes for Kerberos, too", Sources: []string{"3 ntlm-analyzer"}},
			}, Why: "this machine sends no NTLM", Sources: []string{"D SPS network-security-restrict-ntlm-outgoing-ntlm-traffic-to-remote-servers"}},
		}, Audits: []Listen{
			{Setting: "RestrictSendingNTLMTraffic", Value: 1, Tells: "event 8001 names each server that this machine would not reach with NTLM"},
		}, Side: "client", Reach: "everyone", Notes: []string{"Benchmarks ask for 1 or more."}, Related: []string{"AuditReceivingNTLMTraffic", "LanmanWorkstation.BlockNTLM", "ClientAllowedNTLMServers"}, Sources: []string{"D SPS network-security-restrict-ntlm-outgoing-ntlm-traffic-to-remote-servers", "M HK"}},
		{ID: "LanmanWorkstation.BlockNTLM", Title: "SMB client refuses NTLM", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\BlockNTLM", Aliases: []string{"BlockNTLM"}, Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "About this machine as a client, over SMB alone.", Values: []Meaning{
			{Value: 0, Means: "Allowed."},
			{Value: 1, Means: "Refused, but for a list of exceptions."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D policy-csp lanmanworkstation"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Ends: []End{
			{Values: []interface{}{1}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Except: "LanmanWorkstation.BlockNTLMServerExceptionList", Logged: []Doubt{
				{Scope: Scope{Since: "win11-24H2"}, Why: "the log says that NTLM was considered there, which this release of Windows writes for Kerberos, too", Sources: []string{"3 ntlm-analyzer"}},
			}, Why: "the SMB client sends no NTLM", Sources: []string{"D policy-csp lanmanworkstation"}},
		}, Side: "client", Reach: "everyone", Related: []string{"RestrictSendingNTLMTraffic", "LanmanWorkstation.BlockNTLMServerExceptionList"}, Sources: []string{"D policy-csp lanmanworkstation"}},
		{ID: "AllowedPaths", Title: "Registry paths and subpaths open from afar", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\SecurePipeServers\\winreg\\AllowedPaths\\Machine", Policy: "Network access: Remotely accessible registry paths and sub-paths", Type: "REG_MULTI_SZ", Applies: Scope{Since: "winxp"}, Summary: "Paths, with everything below them, that the winreg pipe gives out without regard to the permissions of the winreg key.", Defaults: []Default{
			{Value: []interface{}{"System\\CurrentControlSet\\Control\\Print\\Printers", "System\\CurrentControlSet\\Services\\Eventlog", "Software\\Microsoft\\OLAP Server", "Software\\Microsoft\\Windows NT\\CurrentVersion\\Print", "Software\\Microsoft\\Windows NT\\CurrentVersion\\Windows", "System\\CurrentControlSet\\Control\\ContentIndex", "System\\CurrentControlSet\\Control\\Terminal Server", "System\\CurrentControlSet\\Control\\Terminal Server\\UserConfig", "System\\CurrentControlSet\\Control\\Terminal Server\\DefaultUserConfiguration", "Software\\Microsoft\\Windows NT\\CurrentVersion\\Perflib", "System\\CurrentControlSet\\Services\\SysmonLog"}, Sources: []string{"D SPS network-access-remotely-accessible-registry-paths-and-subpaths"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once, without a restart", Sources: []string{"D SPS network-access-remotely-accessible-registry-paths-and-subpaths"}},
		}, Breaks: []Breakage{
			{Value: []interface{}{}, Who: "Configuration Manager and other remote management", What: "it cannot read the registry", Services: []string{"winreg", "sccm_current"}, Certainty: "documented", Sources: []string{"D SPS network-access-remotely-accessible-registry-paths-and-subpaths"}},
		}, Governs: Governs{Pipes: []string{"winreg"}, Discloses: []model.Disclosure{"registry"}}, Reach: "everyone", Related: []string{"AllowedExactPaths", "RemoteRegistry.Start"}, Sources: []string{"D SPS network-access-remotely-accessible-registry-paths-and-subpaths", "M HK 2.3.10.9"}},
		{ID: "LimitBlankPasswordUse", Title: "Accounts without a password log on at the console alone", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\LimitBlankPasswordUse", Policy: "Accounts: Limit local account use of blank passwords to console logon only", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "winxp"}, Summary: "At 0 a local account without a password may be used from the network by anybody who knows its name.", Values: []Meaning{
			{Value: 0, Means: "Blank passwords work over the network."},
			{Value: 1, Means: "Blank passwords work at the console alone."},
		}, Defaults: []Default{
			{Value: 1, Sources: []string{"D SPS accounts-limit-local-account-use-of-blank-passwords-to-console-logon-only"}},
		}, Wanted: []Wanted{
			{Value: 1, Compare: "equal", Why: "A name without a password is no credential."},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS accounts-limit-local-account-use-of-blank-passwords-to-console-logon-only"}},
		}, Reach: "everyone", Related: []string{"SeNetworkLogonRight"}, Sources: []string{"D SPS accounts-limit-local-account-use-of-blank-passwords-to-console-logon-only"}},
		{ID: "SeNetworkLogonRight", Title: "Who may log on over the network", System: "windows", Where: "[Privilege Rights] SeNetworkLogonRight", Policy: "Access this computer from the network", GptTmpl: "Privilege Rights/SeNetworkLogonRight", Type: "members", Applies: Scope{Since: "nt4"}, Summary: "Whoever is not in it gets no session over SMB. Everyone stands in it by default, which does not include anonymous callers since XP.", Defaults: []Default{
			{Unknown: "Differs by role: Everyone, Administrators, Users, Backup Operators on most; read it on the host.", Sources: []string{"D SPS access-this-computer-from-the-network"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "at the next logon", Sources: []string{"D SPS access-this-computer-from-the-network"}},
		}, Breaks: []Breakage{
			{Who: "whoever is taken off it", What: "no share and no pipe opens", Certainty: "documented", Sources: []string{"D SPS access-this-computer-from-the-network"}},
		}, Reach: "everyone", Unknown: []string{"Whether an anonymous session needs it on every release."}, Related: []string{"SeDenyNetworkLogonRight"}, Sources: []string{"D SPS access-this-computer-from-the-network"}},
		{ID: "SeDenyNetworkLogonRight", Title: "Who may not log on over the network", System: "windows", Where: "[Privilege Rights] SeDenyNetworkLogonRight", Policy: "Deny access to this computer from the network", GptTmpl: "Privilege Rights/SeDenyNetworkLogonRight", Type: "members", Applies: Scope{Since: "win2000"}, Summary: "It goes before the right to log on. Benchmarks ask for Guests in it; Everyone in it locks everybody out.", Defaults: []Default{
			{Unknown: "Guest on stand-alone machines and domain controllers by policy; read it on the host.", Sources: []string{"D SPS deny-access-to-this-computer-from-the-network"}},
		}, TakesEffect: []Effect{
			{When: "new-connections", How: "at the next logon", Sources: []string{"D SPS deny-access-to-this-computer-from-the-network"}},
		}, Breaks: []Breakage{
			{Who: "whoever is put on it", What: "no share and no pipe opens", Certainty: "documented", Sources: []string{"D SPS deny-access-to-this-computer-from-the-network"}},
		}, Reach: "everyone", Unknown: []string{"Whether ANONYMOUS LOGON in it stops null sessions on every release."}, Related: []string{"SeNetworkLogonRight", "EnableGuestAccount"}, Sources: []string{"D SPS deny-access-to-this-computer-from-the-network"}},
		{ID: "RestrictReceivingNTLMTraffic", Title: "NTLM that comes in", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\RestrictReceivingNTLMTraffic", Policy: "Network security: Restrict NTLM: Incoming NTLM traffic", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win7"}, Summary: "Refuses NTLM of every version for every service of this host. Kerberos goes on.", Values: []Meaning{
			{Value: 0, Means: "Allowed."},
			{Value: 1, Means: "Refused to accounts of the domain."},
			{Value: 2, Means: "Refused to all accounts."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D SPS network-security-restrict-ntlm-incoming-ntlm-traffic"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-restrict-ntlm-incoming-ntlm-traffic"}},
		}, Breaks: []Breakage{
			{Value: 2, Who: "printers that scan to folders, old storage, clients outside the domain, clients that use an address instead of a name", What: "they know NTLM alone and are refused", Certainty: "documented", Sources: []string{"D SPS network-security-restrict-ntlm-incoming-ntlm-traffic"}},
		}, Ends: []End{
			{Values: []interface{}{1}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Maybe: "accounts of the host itself go on", Why: "NTLM is refused to accounts of the domain", Sources: []string{"D SPS network-security-restrict-ntlm-incoming-ntlm-traffic"}},
			{Values: []interface{}{2}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Why: "NTLM is refused", Sources: []string{"D SPS network-security-restrict-ntlm-incoming-ntlm-traffic"}},
			{Values: []interface{}{2}, Who: []model.Identity{"anonymous", "guest", "unknown-user"}, Maybe: "whether it meets null sessions is not documented; they are NTLM without a key", Why: "NTLM is refused", Sources: []string{"D SPS network-security-restrict-ntlm-incoming-ntlm-traffic"}},
		}, Audits: []Listen{
			{Setting: "AuditReceivingNTLMTraffic", Value: 2, Tells: "event 8003 names each client that would be refused"},
		}, Reach: "everyone", Related: []string{"AuditReceivingNTLMTraffic", "RestrictSendingNTLMTraffic"}, Sources: []string{"D SPS network-security-restrict-ntlm-incoming-ntlm-traffic"}},
		{ID: "AuditSmb1Access", Title: "Log who uses SMB1", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters\\AuditSmb1Access", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win2012r2"}, Summary: "At 1 event 3000 in SMBServer/Audit names each client that speaks SMB1.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Reach: "everyone", Related: []string{"SMB1"}, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
		{ID: "RestrictNTLMInDomain", Title: "NTLM that a domain controller answers for", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Netlogon\\Parameters\\RestrictNTLMInDomain", Policy: "Network security: Restrict NTLM: NTLM authentication in this domain", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win2008r2", Roles: []model.Role{"domain-controller"}}, Summary: "Refuses NTLM of every version that this domain controller is asked to judge, for every server of the domain. Kerberos goes on, and so do accounts that a server keeps itself.", Values: []Meaning{
			{Value: 0, Means: "Allowed."},
			{Value: 1, Means: "Refused to accounts of the domain at servers of the domain."},
			{Value: 3, Means: "Refused to accounts of the domain."},
			{Value: 5, Means: "Refused at servers of the domain."},
			{Value: 7, Means: "Refused altogether."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D SPS network-security-restrict-ntlm-ntlm-authentication-in-this-domain"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-restrict-ntlm-ntlm-authentication-in-this-domain"}},
		}, Breaks: []Breakage{
			{Value: 7, Who: "whoever in the domain knows NTLM alone or uses an address instead of a name: printers that scan to folders, old storage, VPN clients", What: "they are refused at every server", Certainty: "documented", Sources: []string{"D SPS network-security-restrict-ntlm-ntlm-authentication-in-this-domain"}},
		}, Ends: []End{
			{Values: []interface{}{1, 3, 5}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Except: "DCAllowedNTLMServers", Domain: true, Maybe: "it depends on whether the account and the server are of the domain", Why: "NTLM is refused to part of the domain", Sources: []string{"D SPS network-security-restrict-ntlm-ntlm-authentication-in-this-domain"}},
			{Values: []interface{}{7}, Packages: []string{"lm", "ntlmv1", "ntlmv1-ess", "ntlmv2"}, Except: "DCAllowedNTLMServers", Domain: true, Why: "NTLM is refused", Sources: []string{"D SPS network-security-restrict-ntlm-ntlm-authentication-in-this-domain"}},
		}, Audits: []Listen{
			{Setting: "AuditNTLMInDomain", Value: 7, Tells: "event 8004 names each account, server and client that would be refused"},
		}, Reach: "everyone", Notes: []string{"Other domain controllers judge by their own setting: give it to all of them by policy."}, Related: []string{"AuditNTLMInDomain", "DCAllowedNTLMServers", "RestrictReceivingNTLMTraffic"}, Sources: []string{"D SPS network-security-restrict-ntlm-ntlm-authentication-in-this-domain"}},
		{ID: "AuditNTLMInDomain", Title: "Log NTLM that a domain controller answers for", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Netlogon\\Parameters\\AuditNTLMInDomain", Policy: "Network security: Restrict NTLM: Audit NTLM authentication in this domain", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win2008r2", Roles: []model.Role{"domain-controller"}}, Summary: "At 7 event 8004 in NTLM/Operational names whom RestrictNTLMInDomain would refuse.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Accounts of the domain at servers of the domain are logged."},
			{Value: 3, Means: "Accounts of the domain are logged."},
			{Value: 5, Means: "Servers of the domain are logged."},
			{Value: 7, Means: "Everything is logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D SPS network-security-restrict-ntlm-audit-ntlm-authentication-in-this-domain"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-restrict-ntlm-audit-ntlm-authentication-in-this-domain"}},
		}, Reach: "everyone", Related: []string{"RestrictNTLMInDomain"}, Sources: []string{"D SPS network-security-restrict-ntlm-audit-ntlm-authentication-in-this-domain"}},
		{ID: "DCAllowedNTLMServers", Title: "Servers that keep NTLM in the domain", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Netlogon\\Parameters\\DCAllowedNTLMServers", Policy: "Network security: Restrict NTLM: Add server exceptions in this domain", Type: "REG_MULTI_SZ", Applies: Scope{Since: "win2008r2", Roles: []model.Role{"domain-controller"}}, Summary: "Servers at which NTLM goes on although RestrictNTLMInDomain refuses it. A star stands for any characters at the beginning or the end of a name.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"D SPS network-security-restrict-ntlm-add-server-exceptions-in-this-domain"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-restrict-ntlm-add-server-exceptions-in-this-domain"}},
		}, Reach: "everyone", Related: []string{"RestrictNTLMInDomain"}, Sources: []string{"D SPS network-security-restrict-ntlm-add-server-exceptions-in-this-domain"}},
		{ID: "ClientAllowedNTLMServers", Title: "Servers that this client may use NTLM with", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\ClientAllowedNTLMServers", Policy: "Network security: Restrict NTLM: Add remote server exceptions for NTLM authentication", Type: "REG_MULTI_SZ", Applies: Scope{Since: "win7"}, Summary: "About this machine as a client. Servers that RestrictSendingNTLMTraffic does not hold it back from, by full name or NetBIOS name; a star stands for any characters at the beginning or the end.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"D SPS network-security-restrict-ntlm-add-remote-server-exceptions-for-ntlm-authentication"}},
		}, TakesEffect: []Effect{
			{When: "now", How: "at once", Sources: []string{"D SPS network-security-restrict-ntlm-add-remote-server-exceptions-for-ntlm-authentication"}},
		}, Side: "client", Reach: "everyone", Related: []string{"RestrictSendingNTLMTraffic"}, Sources: []string{"D SPS network-security-restrict-ntlm-add-remote-server-exceptions-for-ntlm-authentication"}},
		{ID: "BlockNtlmv1SSO", Title: "Single sign-on with NTLMv1", System: "windows", Where: "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0\\BlockNtlmv1SSO", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "About this machine as a client: whether the signed-in user's password may make NTLMv1 answers, as MS-CHAPv2 for Wi-Fi and VPN does. SMB has had no NTLMv1 since this release.", Values: []Meaning{
			{Value: 0, Means: "Allowed, and logged as event 4024."},
			{Value: 1, Means: "Refused, and logged as event 4025."},
		}, Defaults: []Default{
			{Unknown: "Updates from September 2025 on log; those of October 2026 are announced to refuse. Which are installed decides.", Sources: []string{"D KB5066470"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Breaks: []Breakage{
			{Value: 1, Who: "Wi-Fi, wired and VPN connections with MS-CHAPv2 and the user's own password", What: "they no longer sign on by themselves", Certainty: "documented", Sources: []string{"D KB5066470"}},
		}, Side: "client", Reach: "everyone", Notes: []string{"It counts only while Credential Guard is off: that blocks it anyway."}, Related: []string{"LmCompatibilityLevel"}, Sources: []string{"D KB5066470"}},
		{ID: "LanmanWorkstation.BlockNTLMServerExceptionList", Title: "Servers that the SMB client may use NTLM with", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\BlockNTLMServerExceptionList", Aliases: []string{"BlockNTLMServerExceptionList"}, Type: "REG_MULTI_SZ", Applies: Scope{Since: "win11-24H2"}, Summary: "About this machine as a client. Servers that LanmanWorkstation.BlockNTLM does not hold it back from, by DNS name, NetBIOS name or address.", Defaults: []Default{
			{Value: []interface{}{}, Sources: []string{"D policy-csp lanmanworkstation"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Related: []string{"LanmanWorkstation.BlockNTLM"}, Sources: []string{"D policy-csp lanmanworkstation"}},
		{ID: "LanmanWorkstation.MinSmb2Dialect", Title: "Lowest dialect of the client", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\MinSmb2Dialect", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "About this machine as a client. It speaks to no server that knows only older dialects.", Values: []Meaning{
			{Value: 514, Means: "2.0.2"},
			{Value: 528, Means: "2.1"},
			{Value: 768, Means: "3.0"},
			{Value: 770, Means: "3.0.2"},
			{Value: 785, Means: "3.1.1"},
		}, Defaults: []Default{
			{Value: 514, Sources: []string{"D policy-csp lanmanworkstation", "D WSD manage-smb-dialects"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Notes: []string{"It does not stop SMB1."}, Related: []string{"MinSmb2Dialect"}, Sources: []string{"D policy-csp lanmanworkstation", "D WSD manage-smb-dialects"}},
		{ID: "LanmanWorkstation.MaxSmb2Dialect", Title: "Highest dialect of the client", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\MaxSmb2Dialect", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "About this machine as a client. It offers no newer dialect.", Values: []Meaning{
			{Value: 514, Means: "2.0.2"},
			{Value: 528, Means: "2.1"},
			{Value: 768, Means: "3.0"},
			{Value: 770, Means: "3.0.2"},
			{Value: 785, Means: "3.1.1"},
		}, Defaults: []Default{
			{Value: 785, Sources: []string{"D policy-csp lanmanworkstation", "D WSD manage-smb-dialects"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Notes: []string{"It does not stop SMB1."}, Related: []string{"MinSmb2Dialect"}, Sources: []string{"D policy-csp lanmanworkstation", "D WSD manage-smb-dialects"}},
		{ID: "LanmanWorkstation.AuditServerDoesNotSupportSigning", Title: "Log servers that cannot sign", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\AuditServerDoesNotSupportSigning", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "At 1 this machine as a client logs each server that cannot sign: event 31999.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D policy-csp lanmanworkstation"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Related: []string{"LanmanWorkstation.RequireSecuritySignature"}, Sources: []string{"D policy-csp lanmanworkstation"}},
		{ID: "LanmanWorkstation.AuditServerDoesNotSupportEncryption", Title: "Log servers that cannot encrypt", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\AuditServerDoesNotSupportEncryption", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "At 1 this machine as a client logs each server that cannot encrypt: event 31998.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D policy-csp lanmanworkstation"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Related: []string{"LanmanWorkstation.RequireEncryption"}, Sources: []string{"D policy-csp lanmanworkstation"}},
		{ID: "LanmanWorkstation.AuditInsecureGuestLogon", Title: "Log guest logons of this client", System: "windows", Where: "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\LanmanWorkstation\\AuditInsecureGuestLogon", Closed: true, Type: "REG_DWORD", Applies: Scope{Since: "win11-24H2"}, Summary: "At 1 this machine as a client logs that a server made it a guest.", Values: []Meaning{
			{Value: 0, Means: "Not logged."},
			{Value: 1, Means: "Logged."},
		}, Defaults: []Default{
			{Value: 0, Sources: []string{"D policy-csp lanmanworkstation"}},
		}, TakesEffect: []Effect{
			{When: "unknown", How: "not documented"},
		}, Side: "client", Reach: "everyone", Related: []string{"AllowInsecureGuestAuth"}, Sources: []string{"D policy-csp lanmanworkstation"}},
	},
	Pipes: []Pipe{
		{Name: "lsarpc", Title: "Local security authority", Aliases: []string{"lsass", "netlogon", "samr"}, Interfaces: []Bound{
			{ID: "lsarpc", Probe: "call"},
			{ID: "dssetup", Probe: "call"},
			{ID: "efsrpc-lsarpc", Probe: "bind-only"},
		}, Probe: "call", Windows: "always", Notes: "Asked first: who does the server think I am?", Sources: []string{"D MS-LSAT 2.1", "D MS-DSSP 2.1", "D MS-EFSR 2.1"}},
		{Name: "samr", Title: "Account database", Aliases: []string{"lsass", "lsarpc", "netlogon"}, Interfaces: []Bound{
			{ID: "samr", Probe: "call"},
			{ID: "efsrpc-lsarpc", Probe: "bind-only"},
		}, Probe: "call", Windows: "always", Sources: []string{"D MS-SAMR 2.1", "3 coercer"}},
		{Name: "netlogon", Title: "Domain logon", Aliases: []string{"lsass", "lsarpc", "samr"}, Interfaces: []Bound{
			{ID: "netlogon", Probe: "call"},
			{ID: "efsrpc-lsarpc", Probe: "bind-only"},
		}, Probe: "call", Windows: "always", Sources: []string{"D MS-NRPC 2.1", "3 coercer"}},
		{Name: "lsass", Title: "Security subsystem, the server behind lsarpc, samr and netlogon", Aliases: []string{"lsarpc", "samr", "netlogon", "protected_storage"}, Interfaces: []Bound{
			{ID: "lsarpc", Probe: "call"},
			{ID: "samr", Probe: "call"},
			{ID: "drsuapi", Probe: "bind-only"},
			{ID: "efsrpc-lsarpc", Probe: "bind-only"},
		}, Probe: "call", Windows: "always", Notes: "On Windows lsarpc, samr and netlogon are aliases of this pipe: count servers, not names.", Sources: []string{"3 OSR", "D MS-LSAT 2.1", "3 coercer"}},
		{Name: "protected_storage", Title: "Backup keys of the data protection service", Aliases: []string{"lsass"}, Interfaces: []Bound{
			{ID: "backupkey", Probe: "bind-only"},
		}, Probe: "bind-only", Windows: "always", Sources: []string{"D MS-BKRP 2.1", "M samba-4.17.12"}},
		{Name: "srvsvc", Title: "Server service", Aliases: []string{"ntsvcs", "wkssvc"}, Interfaces: []Bound{
			{ID: "srvsvc", Probe: "call"},
		}, Probe: "call", Windows: "always", Sources: []string{"D MS-SRVS 2.1"}},
		{Name: "wkssvc", Title: "Workstation service", Aliases: []string{"ntsvcs", "srvsvc"}, Interfaces: []Bound{
			{ID: "wkssvc", Probe: "call"},
		}, Probe: "call", Windows: "always", Sources: []string{"D MS-WKST 2.1"}},
		{Name: "browser", Title: "Computer browser", Aliases: []string{"browse"}, Interfaces: []Bound{
			{ID: "browser", Probe: "bind-only"},
		}, Probe: "bind-only", Sources: []string{"D MS-BRWSA 2.1"}},
		{Name: "spoolss", Title: "Print spooler", Interfaces: []Bound{
			{ID: "spoolss", Probe: "call"},
		}, Probe: "call", Windows: "Spooler.Start", Sources: []string{"D MS-RPRN 2.1"}},
		{Name: "svcctl", Title: "Service control manager", Aliases: []string{"ntsvcs"}, Interfaces: []Bound{
			{ID: "svcctl", Probe: "call"},
		}, Probe: "call", Windows: "always", Sources: []string{"D MS-SCMR 2.1"}},
		{Name: "winreg", Title: "Remote registry", Interfaces: []Bound{
			{ID: "winreg", Probe: "call"},
		}, Probe: "call", Windows: "RemoteRegistry.Start", Sources: []string{"D MS-RRP 2.1"}},
		{Name: "atsvc", Title: "Task scheduler", Interfaces: []Bound{
			{ID: "atsvc", Probe: "call"},
			{ID: "itaskscheduler", Probe: "call"},
		}, Probe: "call", Windows: "always", Notes: "The standard gives the newer interface TCP; impacket's atexec binds it on this pipe, so it listens here too.", Sources: []string{"D MS-TSCH 2.1", "M impacket atexec"}},
		{Name: "netdfs", Title: "Distributed file system", Interfaces: []Bound{
			{ID: "netdfs", Probe: "call"},
		}, Probe: "call", Sources: []string{"D MS-DFSNM 2.1"}},
		{Name: "eventlog", Title: "Event log", Aliases: []string{"ntsvcs"}, Interfaces: []Bound{
			{ID: "eventlog", Probe: "call"},
		}, Probe: "call", Windows: "always", Sources: []string{"D MS-EVEN 2.1"}},
		{Name: "epmapper", Title: "Endpoint mapper", Interfaces: []Bound{
			{ID: "epmapper", Probe: "call"},
			{ID: "mgmt", Probe: "call"},
		}, Probe: "call", Windows: "always", Sources: []string{"D MS-RPCE 2.1"}},
		{Name: "ntsvcs", Title: "Services process, with plug and play", Aliases: []string{"srvsvc", "wkssvc", "eventlog", "svcctl", "browser"}, Interfaces: []Bound{
			{ID: "plugplay", Probe: "call"},
		}, Probe: "call", Windows: "always", Sources: []string{"3 OSR", "S samba"}},
		{Name: "plugplay", Title: "Plug and play", Aliases: []string{"ntsvcs"}, Interfaces: []Bound{
			{ID: "plugplay", Probe: "call"},
		}, Probe: "call", Sources: []string{"S samba"}},
		{Name: "InitShutdown", Title: "Remote shutdown", Interfaces: []Bound{
			{ID: "initshutdown", Probe: "bind-only"},
		}, Probe: "bind-only", Windows: "always", Notes: "Its calls stop the machine; they are never sent.", Sources: []string{"D MS-RSP 2.1"}},
		{Name: "efsrpc", Title: "Encrypting file system", Interfaces: []Bound{
			{ID: "efsrpc", Probe: "bind-only"},
		}, Probe: "bind-only", Notes: "Its calls can make the server log on elsewhere; they are never sent.", Sources: []string{"D MS-EFSR 2.1"}},
		{Name: "FssagentRpc", Title: "Shadow copies of shares", Interfaces: []Bound{
			{ID: "fssagentrpc", Probe: "call"},
		}, Probe: "call", Sources: []string{"D MS-FSRVP 2.1"}},
		{Name: "dnsserver", Title: "DNS administration", Interfaces: []Bound{
			{ID: "dnsserver", Probe: "bind-only"},
		}, Probe: "bind-only", Sources: []string{"D MS-DNSP 2.1"}},
		{Name: "LANMAN", Title: "Remote administration protocol, over SMB1 transactions", Probe: "never", Notes: "Not a pipe to open: it exists in SMB1 TRANSACTION alone.", Sources: []string{"D MS-RAP 2.1"}},
		{Name: "locator", Title: "RPC name service", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{Name: "trkwks", Title: "Link tracking, client", Aliases: []string{"ntsvcs"}, Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-DLTW 2.1", "D MS-SRVS 3.1.3"}},
		{Name: "trksvr", Title: "Link tracking, server", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-SRVS 3.1.3"}},
		{Name: "W32TIME", Title: "Windows time", Aliases: []string{"W32TIME_ALT"}, Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-W32T 2.1"}},
		{Name: "W32TIME_ALT", Title: "Windows time, authenticated", Aliases: []string{"W32TIME"}, Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-W32T 2.1"}},
		{Name: "cert", Title: "Certificate services", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-ICPR 2.1"}},
		{Name: "WinsPipe", Title: "WINS administration", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-RAIW 2.1"}},
		{Name: "DHCPSERVER", Title: "DHCP administration", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-DHCPM 2.1"}},
		{Name: "ROUTER", Title: "Routing and remote access", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-RRASM 2.1"}},
		{Name: "tapsrv", Title: "Telephony", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-TRP 2.1"}},
		{Name: "SHAREDFAX", Title: "Fax server", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-FAX 2.1"}},
		{Name: "msgsvc", Title: "Messenger", Aliases: []string{"ntsvcs"}, Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-MSRP 2.1"}},
		{Name: "MsFteWds", Title: "Windows search", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-WSP 2.1"}},
		{Name: "CI_SKADS", Title: "Indexing service", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-WSP 2.1"}},
		{Name: "inetinfo", Title: "IIS administration", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-IRP 2.1"}},
		{Name: "LSM_API_service", Title: "Terminal services, sessions", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-TSTS 1.9"}},
		{Name: "TermSrv_API_service", Title: "Terminal services", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-TSTS 1.9"}},
		{Name: "Ctx_WinStation_API_service", Title: "Terminal services, old interface", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-TSTS 1.9"}},
		{Name: "SessEnvPublicRpc", Title: "Terminal services, shadowing", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-TSTS 1.9"}},
		{Name: "UNIFIED_API_service", Title: "Terminal services, unified", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D MS-TSTS 1.9"}},
		{Name: "HydraLsPipe", Title: "Terminal services licensing", Probe: "open-only", Systems: []string{"windows"}, Notes: "Wazuh accepts it in the anonymous list of a licence server.", Sources: []string{"3 tenable", "M wazuh"}},
		{Name: "TermServLicensing", Title: "Terminal services licensing, newer name", Probe: "open-only", Systems: []string{"windows"}, Notes: "The name comes from benchmark texts alone.", Sources: []string{"U tenable", "M wazuh"}},
		{Name: "LLSRPC", Title: "Licence logging", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D Q175529"}},
		{Name: "COMNAP", Title: "SNA server", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D Q167196", "D Q175529"}},
		{Name: "COMNODE", Title: "SNA server", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D Q167196", "D Q175529"}},
		{Name: "COMPROXY", Title: "SNA server", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D Q165653"}},
		{Name: "COMNETMN", Title: "SNA server NetView", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D Q138863"}},
		{Name: "sql\\query", Title: "SQL Server, default instance", Probe: "open-only", Systems: []string{"windows"}, Notes: "The login behind it is SQL Server's own or Windows'.", Sources: []string{"D sql-docs", "D MS-SRVS 3.1.3"}},
		{Name: "MySQL", Title: "MySQL, when named_pipe is on", Probe: "open-only", Systems: []string{"windows"}, Sources: []string{"D mysql"}},
		{Name: "mdssvc", Title: "Spotlight search of Samba", Probe: "open-only", Systems: []string{"samba"}, Sources: []string{"S samba"}},
	},
	PipeTables: []PipeTable{
		{ID: "nt4", Scope: Scope{Products: []string{"nt4"}}, Builtin: []string{"COMNAP", "COMNODE", "sql\\query", "spoolss", "epmapper", "locator", "lsarpc", "samr", "netlogon", "wkssvc", "srvsvc", "browser", "LLSRPC"}, Registry: []string{"COMNAP", "COMNODE", "sql\\query", "spoolss", "LLSRPC", "epmapper", "locator"}, Known: true, Hard: []string{"lsarpc", "samr", "netlogon", "wkssvc", "srvsvc", "browser"}, Notes: "LLSRPC is in the registry value and missing from the specification's list: both are joined.", Sources: []string{"D MS-SRVS 3.1.3", "D Q175529", "I ours"}},
		{ID: "win2000", Scope: Scope{Products: []string{"win2000"}}, Builtin: []string{"COMNAP", "COMNODE", "sql\\query", "spoolss", "epmapper", "locator", "trkwks", "trksvr", "lsarpc", "samr", "netlogon", "wkssvc", "srvsvc", "browser"}, Registry: []string{}, Hard: []string{"lsarpc", "samr", "netlogon", "wkssvc", "srvsvc", "browser"}, Notes: "What the registry value holds by default was not read; the hard-coded names are an inference from NT 4.0.", Sources: []string{"D MS-SRVS 3.1.3", "I ours"}},
		{ID: "winxp", Scope: Scope{Products: []string{"winxp"}}, Builtin: []string{"COMNAP", "COMNODE", "sql\\query", "spoolss", "browser"}, Registry: []string{"COMNAP", "COMNODE", "sql\\query", "spoolss", "browser"}, Unsure: []string{"samr", "lsarpc"}, Hard: []string{}, Notes: "Which of the names are hard-coded is not documented. [MS-SAMR] and [MS-LSAD] say that samr and lsarpc are open on XP, [MS-SRVS] does not list them.", Sources: []string{"D MS-SRVS 3.1.3", "D MS-SAMR 2.1", "D MS-LSAD 2.1"}},
		{ID: "win2003", Scope: Scope{Since: "win2003", Until: "win2003r2"}, Builtin: []string{"COMNAP", "COMNODE", "sql\\query", "spoolss", "netlogon", "lsarpc", "samr", "browser"}, Registry: []string{"COMNAP", "COMNODE", "sql\\query", "spoolss", "netlogon", "lsarpc", "samr", "browser"}, Unsure: []string{"srvsvc", "wkssvc"}, Hard: []string{}, Notes: "Service Pack 1 is said to have dropped hard-coded netlogon, lsarpc, samr, browser, srvsvc and wkssvc; a code comment is the only source.", Sources: []string{"D MS-SRVS 3.1.3", "3 hives"}},
		{ID: "vista-dc", Scope: Scope{Since: "vista", Until: "win2008", Roles: []model.Role{"domain-controller"}}, Builtin: []string{"browser", "netlogon", "samr", "lsarpc"}, Registry: []string{"netlogon", "samr", "lsarpc"}, Known: true, Hard: []string{"browser"}, Sources: []string{"D MS-SRVS 3.1.3", "D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		{ID: "vista", Scope: Scope{Since: "vista", Until: "win2008"}, Builtin: []string{"browser"}, Registry: []string{}, Unsure: []string{"samr", "lsarpc"}, UnsureBuild: 6000, Known: true, Hard: []string{"browser"}, Notes: "Before Vista SP1 (build 6000) samr and lsarpc were still open to anonymous according to [MS-SAMR] and [MS-LSAD], while [MS-SRVS] lists browser alone.", Sources: []string{"D MS-SRVS 3.1.3", "D MS-SAMR 2.1", "D MS-LSAD 2.1", "I ours"}},
		{ID: "modern-dc", Scope: Scope{Since: "win7", Roles: []model.Role{"domain-controller"}}, Builtin: []string{"netlogon", "samr", "lsarpc"}, Registry: []string{"netlogon", "samr", "lsarpc"}, Known: true, Hard: []string{}, Notes: "The default domain controllers policy writes the three names.", Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously", "M HK 2.3.10.6"}},
		{ID: "modern", Scope: Scope{Since: "win7"}, Builtin: []string{}, Registry: []string{}, Known: true, Hard: []string{}, Sources: []string{"D MS-SRVS 3.1.3", "D SPS network-access-named-pipes-that-can-be-accessed-anonymously", "M hives"}},
	},
	Interfaces: []Interface{
		{ID: "lsarpc", Title: "Local security authority, policy and translation", UUID: "12345778-1234-abcd-ef00-0123456789ab", Version: "0.0", Doc: "[MS-LSAD], [MS-LSAT]", Probe: "call", Calls: []Call{
			{Name: "LsarGetUserName", Opnum: 45, Discloses: "identity"},
			{Name: "LsarOpenPolicy2", Opnum: 44, Discloses: "nothing"},
			{Name: "LsarQueryInformationPolicy", Opnum: 7, Discloses: "sids"},
			{Name: "LsarQueryInformationPolicy2", Opnum: 46, Discloses: "sids", Spare: true},
			{Name: "LsarLookupSids", Opnum: 15, Discloses: "sids"},
			{Name: "LsarLookupSids2", Opnum: 57, Discloses: "sids", Spare: true},
			{Name: "LsarLookupNames", Opnum: 14, Discloses: "sids"},
			{Name: "LsarEnumerateAccounts", Opnum: 11, Discloses: "sids"},
			{Name: "LsarEnumerateTrustedDomainsEx", Opnum: 50, Discloses: "trusts"},
			{Name: "LsarClose", Discloses: "nothing"},
		}, Sources: []string{"D MS-LSAD 3.1.4", "D MS-LSAT 3.1.4"}},
		{ID: "dssetup", Title: "Directory role of the machine", UUID: "3919286a-b10c-11d0-9ba8-00c04fd92ef5", Version: "0.0", Doc: "[MS-DSSP]", Probe: "call", Calls: []Call{
			{Name: "DsRolerGetPrimaryDomainInformation", Discloses: "host-info"},
		}, Sources: []string{"D MS-DSSP 3.2.5"}},
		{ID: "samr", Title: "Account database", UUID: "12345778-1234-abcd-ef00-0123456789ac", Version: "1.0", Doc: "[MS-SAMR]", Probe: "call", Calls: []Call{
			{Name: "SamrConnect5", Opnum: 64, Discloses: "nothing"},
			{Name: "SamrConnect4", Opnum: 62, Discloses: "nothing"},
			{Name: "SamrConnect2", Opnum: 57, Discloses: "nothing"},
			{Name: "SamrConnect", Discloses: "nothing"},
			{Name: "SamrEnumerateDomainsInSamServer", Opnum: 6, Discloses: "host-info"},
			{Name: "SamrLookupDomainInSamServer", Opnum: 5, Discloses: "sids"},
			{Name: "SamrOpenDomain", Opnum: 7, Discloses: "nothing"},
			{Name: "SamrEnumerateUsersInDomain", Opnum: 13, Discloses: "accounts"},
			{Name: "SamrQueryDisplayInformation", Opnum: 40, Discloses: "accounts"},
			{Name: "SamrEnumerateGroupsInDomain", Opnum: 11, Discloses: "groups"},
			{Name: "SamrEnumerateAliasesInDomain", Opnum: 15, Discloses: "groups"},
			{Name: "SamrQueryInformationDomain", Opnum: 8, Discloses: "password-policy"},
			{Name: "SamrQueryInformationDomain2", Opnum: 46, Discloses: "password-policy", Spare: true},
			{Name: "SamrGetDomainPasswordInformation", Opnum: 56, Discloses: "password-policy", Free: true},
			{Name: "SamrCloseHandle", Opnum: 1, Discloses: "nothing"},
			{Name: "SamrUnicodeChangePasswordUser2", Opnum: 55, Avoid: "changes a password"},
			{Name: "SamrOemChangePasswordUser2", Opnum: 54, Avoid: "changes a password"},
		}, Sources: []string{"D MS-SAMR 3.1.5"}},
		{ID: "netlogon", Title: "Domain logon", UUID: "12345678-1234-abcd-ef00-01234567cffb", Version: "1.0", Doc: "[MS-NRPC]", Probe: "call", Calls: []Call{
			{Name: "DsrGetDcNameEx", Opnum: 27, Discloses: "host-info", Spare: true},
			{Name: "DsrGetDcNameEx2", Opnum: 34, Discloses: "host-info"},
			{Name: "DsrGetSiteName", Opnum: 28, Discloses: "host-info"},
			{Name: "DsrEnumerateDomainTrusts", Opnum: 40, Discloses: "trusts"},
			{Name: "NetrEnumerateTrustedDomainsEx", Opnum: 36, Discloses: "trusts", Spare: true},
			{Name: "NetrEnumerateTrustedDomains", Opnum: 19, Discloses: "trusts", Spare: true},
			{Name: "NetrServerReqChallenge", Opnum: 4, Avoid: "starts a secure channel and looks like an attack"},
		}, Sources: []string{"D MS-NRPC 3.5.4"}},
		{ID: "srvsvc", Title: "Server service", UUID: "4b324fc8-1670-01d3-1278-5a47bf6ee188", Version: "3.0", Doc: "[MS-SRVS]", Probe: "call", Calls: []Call{
			{Name: "NetrShareEnum", Opnum: 15, Discloses: "shares"},
			{Name: "NetrServerGetInfo", Opnum: 21, Discloses: "host-info"},
			{Name: "NetrRemoteTOD", Opnum: 28, Discloses: "host-info"},
			{Name: "NetrSessionEnum", Opnum: 12, Discloses: "sessions"},
			{Name: "NetrShareDelStart", Opnum: 37, Avoid: "deletes a share"},
			{Name: "NetrShareDelCommit", Opnum: 38, Avoid: "deletes a share"},
		}, Sources: []string{"D MS-SRVS 3.1.4"}},
		{ID: "wkssvc", Title: "Workstation service", UUID: "6bffd098-a112-3610-9833-46c3f87e345a", Version: "1.0", Doc: "[MS-WKST]", Probe: "call", Calls: []Call{
			{Name: "NetrWkstaGetInfo", Discloses: "host-info"},
			{Name: "NetrWkstaUserEnum", Opnum: 2, Discloses: "sessions"},
			{Name: "NetrWkstaTransportEnum", Opnum: 5, Discloses: "host-info"},
			{Name: "NetrGetJoinInformation", Opnum: 20, Discloses: "host-info"},
		}, Sources: []string{"D MS-WKST 3.2.4"}},
		{ID: "browser", Title: "Computer browser", UUID: "6bffd098-a112-3610-9833-012892020162", Version: "0.0", Doc: "[MS-BRWSA]", Probe: "bind-only", Why: "Operation numbers come from an interface file alone.", Sources: []string{"D MS-BRWSA 3.1.4"}},
		{ID: "spoolss", Title: "Print system", UUID: "12345678-1234-abcd-ef00-0123456789ab", Version: "1.0", Doc: "[MS-RPRN]", Probe: "call", Coerces: true, Calls: []Call{
			{Name: "RpcEnumPrinters", Discloses: "printers"},
			{Name: "RpcOpenPrinterEx", Opnum: 69, Discloses: "nothing"},
			{Name: "RpcClosePrinter", Opnum: 29, Discloses: "nothing"},
			{Name: "RpcRemoteFindFirstPrinterChangeNotification", Opnum: 62, Avoid: "makes the server log on elsewhere"},
			{Name: "RpcRemoteFindFirstPrinterChangeNotificationEx", Opnum: 65, Avoid: "makes the server log on elsewhere"},
		}, Sources: []string{"D MS-RPRN 3.1.4"}},
		{ID: "svcctl", Title: "Service control manager", UUID: "367abb81-9844-35f1-ad32-98f038001003", Version: "2.0", Doc: "[MS-SCMR]", Probe: "call", Calls: []Call{
			{Name: "ROpenSCManagerW", Opnum: 15, Discloses: "nothing"},
			{Name: "REnumServicesStatusW", Opnum: 14, Discloses: "services"},
			{Name: "RCloseServiceHandle", Discloses: "nothing"},
		}, Sources: []string{"D MS-SCMR 3.1.4"}},
		{ID: "winreg", Title: "Remote registry", UUID: "338cd001-2244-31f1-aaaa-900038001003", Version: "1.0", Doc: "[MS-RRP]", Probe: "call", Calls: []Call{
			{Name: "OpenLocalMachine", Opnum: 2, Discloses: "registry"},
			{Name: "BaseRegGetVersion", Opnum: 26, Discloses: "host-info"},
			{Name: "BaseRegCloseKey", Opnum: 5, Discloses: "nothing"},
		}, Sources: []string{"D MS-RRP 3.1.5"}},
		{ID: "atsvc", Title: "Task scheduler (at)", UUID: "1ff70682-0a51-30e8-076d-740be8cee98b", Version: "1.0", Doc: "[MS-TSCH]", Probe: "call", Calls: []Call{
			{Name: "NetrJobEnum", Opnum: 2, Discloses: "jobs"},
			{Name: "NetrJobAdd", Avoid: "creates a job"},
		}, Sources: []string{"D MS-TSCH 3.2.5"}},
		{ID: "itaskscheduler", Title: "Task scheduler", UUID: "86d35949-83c9-4044-b424-db363231fd0c", Version: "1.0", Doc: "[MS-TSCH]", Probe: "call", Calls: []Call{
			{Name: "SchRpcHighestVersion", Discloses: "jobs"},
		}, Sources: []string{"D MS-TSCH 3.2.5"}},
		{ID: "sasec", Title: "Task scheduler, accounts", UUID: "378e52b0-c0a9-11cf-822d-00aa0051e40f", Version: "1.0", Doc: "[MS-TSCH]", Probe: "never", Why: "Its calls set accounts of tasks.", Sources: []string{"D MS-TSCH 3.2.5"}},
		{ID: "netdfs", Title: "Distributed file system", UUID: "4fc742e0-4a10-11cf-8273-00aa004ae673", Version: "3.0", Doc: "[MS-DFSNM]", Probe: "call", Calls: []Call{
			{Name: "NetrDfsManagerGetVersion", Discloses: "dfs"},
		}, Sources: []string{"D MS-DFSNM 3.1.4"}},
		{ID: "eventlog", Title: "Event log", UUID: "82273fdc-e32a-18c3-3f78-827929dc23ea", Version: "0.0", Doc: "[MS-EVEN]", Probe: "call", Calls: []Call{
			{Name: "ElfrOpenELW", Opnum: 7, Discloses: "logs"},
			{Name: "ElfrCloseEL", Opnum: 2, Discloses: "nothing"},
			{Name: "ElfrOpenBELW", Opnum: 9, Avoid: "makes the server open a file elsewhere"},
		}, Sources: []string{"D MS-EVEN 3.1.4"}},
		{ID: "epmapper", Title: "Endpoint mapper", UUID: "e1af8308-5d1f-11c9-91a4-08002b14a0fa", Version: "3.0", Doc: "[MS-RPCE], [C706]", Probe: "call", Calls: []Call{
			{Name: "ept_lookup", Opnum: 2, Discloses: "endpoints"},
		}, Sources: []string{"D MS-RPCE 2.2.1"}},
		{ID: "mgmt", Title: "RPC management", UUID: "afa8bd80-7d8a-11c9-bef4-08002b102989", Version: "1.0", Doc: "[C706]", Probe: "call", Calls: []Call{
			{Name: "rpc__mgmt_inq_if_ids", Discloses: "endpoints"},
		}, Sources: []string{"D MS-RPCE 2.2.1"}},
		{ID: "initshutdown", Title: "Remote shutdown", UUID: "894de0c0-0d55-11d3-a322-00c04fa321a1", Version: "1.0", Doc: "[MS-RSP]", Probe: "bind-only", Why: "Its calls stop the machine.", Sources: []string{"D MS-RSP 3.2.4"}},
		{ID: "plugplay", Title: "Plug and play", UUID: "8d9f4e40-a03d-11ce-8f69-08003e30051b", Version: "1.0", Doc: "none", Probe: "call", Calls: []Call{
			{Name: "PNP_GetVersion", Opnum: 2, Discloses: "host-info"},
		}, Sources: []string{"S samba"}},
		{ID: "drsuapi", Title: "Directory replication", UUID: "e3514235-4b06-11d1-ab04-00c04fc2dcd2", Version: "4.0", Doc: "[MS-DRSR]", Probe: "bind-only", Why: "Its calls replicate secrets.", Sources: []string{"D MS-DRSR 2.1"}},
		{ID: "backupkey", Title: "Data protection backup keys", UUID: "3dde7c30-165d-11d1-ab8f-00805f14db40", Version: "1.0", Doc: "[MS-BKRP]", Probe: "bind-only", Why: "Its call returns or makes keys.", Sources: []string{"D MS-BKRP 3.1.4"}},
		{ID: "efsrpc", Title: "Encrypting file system, on efsrpc", UUID: "df1941c5-fe89-4e79-bf10-463657acf44d", Version: "1.0", Doc: "[MS-EFSR]", Probe: "bind-only", Why: "Its calls can make the server log on elsewhere.", Coerces: true, Sources: []string{"D MS-EFSR 2.1", "3 coercer"}},
		{ID: "efsrpc-lsarpc", Title: "Encrypting file system, on the pipes of lsass", UUID: "c681d488-d850-11d0-8c52-00c04fd90f7e", Version: "1.0", Doc: "[MS-EFSR]", Probe: "bind-only", Why: "Its calls can make the server log on elsewhere.", Coerces: true, Sources: []string{"D MS-EFSR 2.1", "3 coercer"}},
		{ID: "fssagentrpc", Title: "Shadow copies of shares", UUID: "a8e0653c-2744-4389-a61d-7373df8b2292", Version: "1.0", Doc: "[MS-FSRVP]", Probe: "call", Coerces: true, Calls: []Call{
			{Name: "GetSupportedVersion", Discloses: "host-info"},
			{Name: "IsPathSupported", Opnum: 8, Avoid: "makes the server reach out"},
			{Name: "IsPathShadowCopied", Opnum: 9, Avoid: "makes the server reach out"},
		}, Sources: []string{"D MS-FSRVP 3.1.4"}},
		{ID: "dnsserver", Title: "DNS administration", UUID: "50abc2a4-574d-40b3-9d66-ee4fd5fba076", Version: "5.0", Doc: "[MS-DNSP]", Probe: "bind-only", Why: "Its calls change the server.", Sources: []string{"D MS-DNSP 2.1"}},
		{ID: "locator", Title: "RPC name service", UUID: "e33c0cc4-0482-101a-bc0c-02608c6ba218", Version: "1.0", Doc: "[MS-RPCL]", Probe: "never", Why: "Old; nothing here calls it.", Sources: []string{"D MS-RPCL 2.1"}},
		{ID: "trkwks", Title: "Link tracking client", UUID: "300f3532-38cc-11d0-a3f0-0020af6b0add", Version: "1.2", Doc: "[MS-DLTW]", Probe: "never", Why: "Nothing to learn from it.", Sources: []string{"D MS-DLTW 2.1"}},
		{ID: "w32time", Title: "Windows time", UUID: "8fb6d884-2388-11d0-8c35-00c04fda2795", Version: "4.1", Doc: "[MS-W32T]", Probe: "never", Why: "Nothing to learn from it.", Sources: []string{"D MS-W32T 2.1"}},
		{ID: "icpr", Title: "Certificate requests", UUID: "91ae6020-9e3c-11cf-8d7c-00aa00c091be", Version: "0.0", Doc: "[MS-ICPR]", Probe: "never", Why: "Its call requests a certificate.", Sources: []string{"D MS-ICPR 2.1"}},
	},
	Services: []Service{
		{ID: "server_srvsvc", Title: "Server service", Aliases: []string{"server service", "file sharing", "browsing"}, Pipes: []string{"srvsvc"}, Interfaces: []string{"srvsvc"}, Anonymous: "legacy", Detect: Detect{Services: []string{"LanmanServer"}}, Breaks: ServiceBreak{Restrict: "share lists without credentials, as NT 4.0 and Windows 9x browsing made them", Block: "share lists and share administration", Firewall: "the same"}, Needs: "Current clients list shares with their own credentials.", Sources: []string{"D MS-SRVS 3.1.3", "D Q143474"}},
		{ID: "workstation_wkssvc", Title: "Workstation service", Pipes: []string{"wkssvc"}, Interfaces: []string{"wkssvc"}, Anonymous: "legacy", Detect: Detect{Services: []string{"LanmanWorkstation"}}, Breaks: ServiceBreak{Restrict: "NT 4.0 and Windows 2000 clients alone", Block: "remote queries about the workstation", Firewall: "the same"}, Needs: "Today most of its calls ask for an administrator.", Sources: []string{"D MS-WKST 2.1", "D MS-SRVS 3.1.3"}},
		{ID: "browser", Title: "Computer browser", Aliases: []string{"network neighbourhood", "browse list"}, Pipes: []string{"browser"}, Interfaces: []string{"browser"}, Anonymous: "legacy", Detect: Detect{Services: []string{"Browser"}}, Breaks: ServiceBreak{Restrict: "lists of computers up to Vista and Server 2008", Block: "lists of computers", NoSMB1: "the service goes together with SMB1"}, Needs: "Gone from current Windows.", Sources: []string{"D MS-BRWSA 2.1", "D MS-SRVS 3.1.3", "D WSD smbv1-not-installed-by-default-in-windows"}},
		{ID: "rap_lanman", Title: "Remote administration protocol", Aliases: []string{"rap"}, Pipes: []string{"LANMAN"}, Anonymous: "legacy", Breaks: ServiceBreak{Block: "all of it", NoSMB1: "all of it"}, Needs: "SMB1 transactions.", Sources: []string{"D MS-RAP 2.1"}},
		{ID: "samr", Title: "Account database", Aliases: []string{"sam", "account manager"}, Pipes: []string{"samr", "lsass"}, Interfaces: []string{"samr"}, Anonymous: "dc", Detect: Detect{Services: []string{"SamSs"}}, Breaks: ServiceBreak{Restrict: "on a domain controller the change of an expired password before logon, NT 4.0 trusts and old clients", Block: "remote account management", Firewall: "remote account management"}, Needs: "Two calls that change a password need no handle and may come without credentials.", Sources: []string{"D MS-SAMR 3.1.5", "D Q176978", "D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		{ID: "lsarpc", Title: "Local security authority", Aliases: []string{"lsa"}, Pipes: []string{"lsarpc", "lsass"}, Interfaces: []string{"lsarpc"}, Anonymous: "dc", Detect: Detect{Services: []string{"SamSs"}}, Breaks: ServiceBreak{Restrict: "NT 4.0 trusts, and names of users across a one-way trust", Block: "name translation and policy queries from afar", Firewall: "the same"}, Needs: "Domain controllers keep it open for old trusts.", Sources: []string{"D MS-LSAT 2.1", "D MS-LSAD 3.1.4.4.1", "D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		{ID: "netlogon", Title: "Domain logon", Aliases: []string{"net logon", "secure channel"}, Pipes: []string{"netlogon"}, Interfaces: []string{"netlogon"}, Anonymous: "dc", Detect: Detect{Services: []string{"Netlogon"}}, Breaks: ServiceBreak{Restrict: "nothing on current clients is documented, but old ones bind to the pipe before they authenticate inside it", Block: "old domain logons", Firewall: "the same"}, Needs: "The secure channel authenticates inside RPC; newer Windows prefers TCP.", Sources: []string{"D MS-NRPC 3.5.3", "D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		{ID: "nt4_trust", Title: "Trusts with NT 4.0 domains", Aliases: []string{"nt4-trust", "nt4 trusts", "nt 4.0 trusts", "nt4 trust", "legacy trust"}, Pipes: []string{"samr", "lsarpc", "netlogon"}, Interfaces: []string{"samr", "lsarpc", "netlogon"}, Anonymous: "dc", Breaks: ServiceBreak{Restrict: "a trust with an NT 4.0 domain cannot be set up, and users of the other side show as unknown", Block: "all of it"}, Needs: "The domain controllers of such a trust look at each other's accounts without credentials.", Unknown: []string{"Whether a trust that is already set up goes on once the three pipes are closed; the articles tell of setting up and of listing."}, Sources: []string{"D Q178640", "D Q296405", "D jj852230"}},
		{ID: "dssetup", Title: "Directory role", Pipes: []string{"lsarpc", "lsass"}, Interfaces: []string{"dssetup"}, Anonymous: "dc", Breaks: ServiceBreak{Restrict: "the question for the role of a domain controller asked without credentials"}, Needs: "Asked while joining a domain.", Sources: []string{"D MS-DSSP 2.1"}},
		{ID: "efsrpc", Title: "Encrypting file system", Aliases: []string{"efs", "petitpotam"}, Pipes: []string{"lsarpc", "efsrpc"}, Interfaces: []string{"efsrpc", "efsrpc-lsarpc"}, Anonymous: "none", Detect: Detect{Services: []string{"EFS"}}, Breaks: ServiceBreak{Block: "encrypted files on servers"}, Needs: "Known for making servers log on elsewhere; refused to strangers since a 2022 update, and no longer on lsarpc in the newest releases.", Sources: []string{"D MS-EFSR 2.1", "3 coercer"}},
		{ID: "drsuapi_on_lsass", Title: "Directory replication", Pipes: []string{"lsass"}, Interfaces: []string{"drsuapi"}, Anonymous: "none", Detect: Detect{Services: []string{"NTDS"}}, Needs: "TCP is its standard way.", Sources: []string{"D MS-DRSR 2.1"}},
		{ID: "spoolss", Title: "Print spooler", Aliases: []string{"print server", "printing", "print-server"}, Pipes: []string{"spoolss"}, Interfaces: []string{"spoolss"}, Anonymous: "legacy", Detect: Detect{Services: []string{"Spooler"}}, Breaks: ServiceBreak{Restrict: "NT 4.0 to Server 2003: printer windows say access denied", Block: "printing to shared printers and print administration, before Windows 11 22H2", Firewall: "printing"}, Needs: "It uses no RPC authentication and relies on the SMB session. Since Windows 11 22H2 it goes over TCP unless told otherwise.", Sources: []string{"D MS-RPRN 2.1", "D Q162695", "D Q323909", "D print-rpc"}},
		{ID: "print_async_par", Title: "Print system over TCP", Interfaces: []string{}, Anonymous: "none", Needs: "TCP alone.", Sources: []string{"D MS-PAR 2.1"}},
		{ID: "dfs_namespace", Title: "Distributed file system", Aliases: []string{"dfs"}, Pipes: []string{"netdfs"}, Interfaces: []string{"netdfs"}, Anonymous: "none", Detect: Detect{Services: []string{"Dfs"}}, Breaks: ServiceBreak{Block: "administration, and referrals, which travel over IPC$ too", Firewall: "administration"}, Needs: "Anybody may connect; each call checks for an administrator.", Sources: []string{"D MS-DFSNM 2.1", "D MS-WPO 7.4.2.1"}},
		{ID: "fsrvp_vss", Title: "Shadow copies of shares", Aliases: []string{"vss over smb", "hyper-v over smb"}, Pipes: []string{"FssagentRpc"}, Interfaces: []string{"fssagentrpc"}, Anonymous: "none", Detect: Detect{Services: []string{"fssagent"}}, Breaks: ServiceBreak{Block: "backup of Hyper-V or SQL Server data on shares", Firewall: "the same"}, Needs: "Authenticated.", Sources: []string{"D MS-FSRVP 2.1"}},
		{ID: "witness_swn", Title: "Cluster witness", Anonymous: "none", Needs: "Its transport is not given as a pipe.", Unknown: []string{"Whether it ever uses a pipe."}, Sources: []string{"D MS-SWN 2.1"}},
		{ID: "failover_cluster_clusapi", Title: "Failover cluster", Aliases: []string{"cluster"}, Anonymous: "none", Detect: Detect{Services: []string{"ClusSvc"}}, Needs: "UDP or TCP, no pipe.", Unknown: []string{"Whether file share witnesses and administration suffer when IPC$ is blocked."}, Sources: []string{"D MS-CMRP 2.1"}},
		{ID: "svcctl", Title: "Service control manager", Aliases: []string{"sc", "services.msc"}, Pipes: []string{"svcctl", "ntsvcs"}, Interfaces: []string{"svcctl"}, Anonymous: "none", Breaks: ServiceBreak{Block: "sc, services.msc from afar and push installers", Firewall: "the same"}, Needs: "TCP works too.", Sources: []string{"D MS-SCMR 2.1"}},
		{ID: "winreg", Title: "Remote registry", Aliases: []string{"remote registry"}, Pipes: []string{"winreg"}, Interfaces: []string{"winreg"}, Anonymous: "legacy", Detect: Detect{Services: []string{"RemoteRegistry"}}, Breaks: ServiceBreak{Restrict: "NT 4.0 programs that read the registry without credentials, ARCserve 6 for one", Block: "remote registry, performance counters and Exchange administration", Firewall: "the same"}, Needs: "Current clients use the pipe alone.", Sources: []string{"D Q143138", "D MS-RRP 2.1", "D Q196398"}},
		{ID: "eventlog", Title: "Event log", Pipes: []string{"eventlog", "ntsvcs"}, Interfaces: []string{"eventlog"}, Anonymous: "none", Detect: Detect{Services: []string{"EventLog"}}, Breaks: ServiceBreak{Block: "remote event viewers of the old kind; the newer interface is TCP", Firewall: "the same"}, Needs: "Authenticated.", Sources: []string{"D MS-EVEN 2.1", "D MS-EVEN6 2.1"}},
		{ID: "task_scheduler", Title: "Task scheduler", Pipes: []string{"atsvc"}, Interfaces: []string{"atsvc", "itaskscheduler", "sasec"}, Anonymous: "none", Detect: Detect{Services: []string{"Schedule"}}, Breaks: ServiceBreak{Block: "the at command; the newer interface is TCP", Firewall: "the same"}, Needs: "Authenticated.", Sources: []string{"D MS-TSCH 2.1"}},
		{ID: "shutdown", Title: "Remote shutdown", Pipes: []string{"InitShutdown", "winreg"}, Interfaces: []string{"initshutdown"}, Anonymous: "none", Breaks: ServiceBreak{Block: "shutdown /m", Firewall: "the same"}, Needs: "Authenticated.", Sources: []string{"D MS-RSP 2.1"}},
		{ID: "epmapper", Title: "Endpoint mapper", Pipes: []string{"epmapper"}, Interfaces: []string{"epmapper"}, Anonymous: "legacy", Detect: Detect{Services: []string{"RpcEptMapper"}, Ports: []int{135}}, Breaks: ServiceBreak{Restrict: "NT 4.0 and Windows 2000 clients"}, Needs: "TCP port 135 is the usual way.", Sources: []string{"D MS-SRVS 3.1.3", "D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		{ID: "rpc_locator", Title: "RPC name service", Pipes: []string{"locator"}, Interfaces: []string{"locator"}, Anonymous: "legacy", Detect: Detect{Services: []string{"RpcLocator"}}, Breaks: ServiceBreak{Restrict: "name service of NT 4.0 and Windows 2000"}, Needs: "Old.", Sources: []string{"D MS-RPCL 2.1", "D MS-SRVS 3.1.3"}},
		{ID: "dlt_workstation", Title: "Link tracking client", Pipes: []string{"trkwks", "ntsvcs"}, Interfaces: []string{"trkwks"}, Anonymous: "legacy", Detect: Detect{Services: []string{"TrkWks"}}, Breaks: ServiceBreak{Restrict: "link tracking of Windows 2000"}, Needs: "Old.", Sources: []string{"D MS-DLTW 2.1", "D MS-SRVS 3.1.3"}},
		{ID: "dlt_server", Title: "Link tracking server", Pipes: []string{"trksvr"}, Anonymous: "legacy", Detect: Detect{Services: []string{"TrkSvr"}}, Breaks: ServiceBreak{Restrict: "link tracking of Windows 2000"}, Needs: "Old.", Sources: []string{"D MS-SRVS 3.1.3"}},
		{ID: "w32time", Title: "Windows time", Pipes: []string{"W32TIME", "W32TIME_ALT"}, Interfaces: []string{"w32time"}, Anonymous: "legacy", Detect: Detect{Services: []string{"W32Time"}}, Breaks: ServiceBreak{Restrict: "time administration of Windows 2000"}, Needs: "NTP itself has nothing to do with it.", Sources: []string{"D MS-W32T 2.1"}},
		{ID: "protected_storage_bkrp", Title: "Backup keys for data protection", Aliases: []string{"dpapi"}, Pipes: []string{"protected_storage", "ntsvcs"}, Interfaces: []string{"backupkey"}, Anonymous: "none", Breaks: ServiceBreak{Block: "recovery of protected data from a domain controller", Firewall: "the same"}, Needs: "Authenticated.", Sources: []string{"D MS-BKRP 2.1"}},
		{ID: "certsrv", Title: "Certificate services", Pipes: []string{"cert"}, Interfaces: []string{"icpr"}, Anonymous: "none", Detect: Detect{Services: []string{"CertSvc"}}, Breaks: ServiceBreak{Block: "requests over the pipe; TCP works too"}, Needs: "Authenticated.", Sources: []string{"D MS-ICPR 2.1"}},
		{ID: "wins", Title: "WINS", Pipes: []string{"WinsPipe"}, Anonymous: "none", Detect: Detect{Services: []string{"WINS"}}, Breaks: ServiceBreak{Block: "administration over the pipe; names go on"}, Needs: "Authenticated.", Sources: []string{"D MS-RAIW 2.1"}},
		{ID: "dhcp_admin", Title: "DHCP administration", Pipes: []string{"DHCPSERVER"}, Anonymous: "none", Detect: Detect{Services: []string{"DHCPServer"}}, Needs: "Authenticated.", Sources: []string{"D MS-DHCPM 2.1"}},
		{ID: "dns_admin", Title: "DNS administration", Pipes: []string{"dnsserver"}, Interfaces: []string{"dnsserver"}, Anonymous: "none", Detect: Detect{Services: []string{"DNS"}}, Needs: "Authenticated.", Sources: []string{"D MS-DNSP 2.1"}},
		{ID: "rras", Title: "Routing and remote access", Pipes: []string{"ROUTER"}, Anonymous: "none", Detect: Detect{Services: []string{"RemoteAccess"}}, Breaks: ServiceBreak{Block: "remote administration", Firewall: "remote administration"}, Needs: "The pipe is its only way.", Sources: []string{"D MS-RRASM 2.1"}},
		{ID: "telephony", Title: "Telephony", Pipes: []string{"tapsrv"}, Anonymous: "none", Detect: Detect{Services: []string{"TapiSrv"}}, Needs: "Authenticated.", Sources: []string{"D MS-TRP 2.1"}},
		{ID: "fax", Title: "Fax server", Pipes: []string{"SHAREDFAX"}, Anonymous: "unknown", Detect: Detect{Services: []string{"Fax"}}, Needs: "Its client may fall back to no authentication.", Unknown: []string{"Whether a server then has to let strangers in."}, Sources: []string{"D MS-FAX 2.1"}},
		{ID: "messenger", Title: "Messenger", Pipes: []string{"msgsvc", "ntsvcs"}, Anonymous: "unknown", Detect: Detect{Services: []string{"Messenger"}}, Needs: "Gone since Vista.", Unknown: []string{"What it needs was not read."}, Sources: []string{"D MS-MSRP 2.1"}},
		{ID: "windows_search_wsp", Title: "Windows search", Pipes: []string{"MsFteWds", "CI_SKADS"}, Anonymous: "none", Detect: Detect{Services: []string{"WSearch"}}, Breaks: ServiceBreak{Block: "search in remote indexes", Firewall: "the same"}, Needs: "Plain messages, no RPC.", Sources: []string{"D MS-WSP 2.1"}},
		{ID: "iis_inetinfo", Title: "IIS administration", Aliases: []string{"iis"}, Pipes: []string{"inetinfo"}, Anonymous: "none", Detect: Detect{Services: []string{"IISADMIN"}}, Needs: "TCP works too.", Sources: []string{"D MS-IRP 2.1"}},
		{ID: "iis_asp_doublehop", Title: "Web pages that pass a logon on", Aliases: []string{"asp double hop"}, Pipes: []string{"samr", "srvsvc"}, Anonymous: "legacy", Breaks: ServiceBreak{Restrict: "pages whose queries to other servers become null sessions"}, Needs: "Give the page's account a real logon.", Sources: []string{"D Q278836", "D Q207671"}},
		{ID: "terminal_services", Title: "Terminal services administration", Aliases: []string{"rdp", "remote desktop"}, Pipes: []string{"LSM_API_service", "TermSrv_API_service", "Ctx_WinStation_API_service", "SessEnvPublicRpc", "UNIFIED_API_service"}, Anonymous: "none", Detect: Detect{Services: []string{"TermService"}, Ports: []int{3389}}, Breaks: ServiceBreak{Block: "qwinsta, rwinsta and tsadmin; remote desktop itself goes on", Firewall: "the same"}, Needs: "Authenticated.", Sources: []string{"D MS-TSTS 1.9"}},
		{ID: "ts_licensing", Title: "Terminal services licensing", Aliases: []string{"rds licensing", "ts licensing", "remote desktop licensing"}, Pipes: []string{"HydraLsPipe", "TermServLicensing"}, Anonymous: "legacy", Detect: Detect{Services: []string{"TermServLicensing"}}, Breaks: ServiceBreak{Restrict: "with RestrictAnonymous 2 on a Windows 2000 licence server other servers get no licences"}, Needs: "Benchmarks let its pipe stay on the anonymous list of a licence server.", Unknown: []string{"The name TermServLicensing as a pipe."}, Sources: []string{"D KB246261", "3 tenable"}},
		{ID: "ts_profiles_nt4", Title: "NT 4.0 Terminal Server profiles", Pipes: []string{"samr"}, Anonymous: "legacy", Breaks: ServiceBreak{Restrict: "profile path and home folder are ignored"}, Needs: "NT 4.0 Terminal Server.", Applies: Scope{Products: []string{"nt4"}}, Sources: []string{"D Q236185"}},
		{ID: "citrix_ima_ica", Title: "Citrix", Aliases: []string{"citrix xenapp"}, Pipes: []string{"Ctx_WinStation_API_service"}, Anonymous: "unknown", Detect: Detect{Services: []string{"IMAService", "Citrix*"}}, Needs: "Only the name of the pipe is known.", Unknown: []string{"Which pipes it needs; no Citrix document was read."}, Sources: []string{"U MS-TSTS 1.9"}},
		{ID: "license_logging", Title: "Licence logging", Pipes: []string{"LLSRPC"}, Anonymous: "legacy", Detect: Detect{Services: []string{"LicenseService"}}, Breaks: ServiceBreak{Restrict: "licence replication of NT 4.0 to Server 2003"}, Needs: "On the default list of NT 4.0.", Sources: []string{"D Q175529"}},
		{ID: "sna_his", Title: "SNA Server, Host Integration Server", Aliases: []string{"sna", "host integration server"}, Pipes: []string{"COMNAP", "COMNODE", "COMPROXY", "COMNETMN"}, Anonymous: "legacy", Detect: Detect{Services: []string{"SnaBase", "SnaServr"}}, Breaks: ServiceBreak{Restrict: "sponsor connections fail with error 1003, and NetView alerts with access denied"}, Needs: "Its setup adds the names; clients over TCP do not need them.", Sources: []string{"D Q167196", "D Q165653", "D Q138863"}},
		{ID: "sqlserver_default", Title: "SQL Server, default instance", Aliases: []string{"sql server", "sqlserver", "mssql", "ms sql", "microsoft sql server"}, Pipes: []string{"sql\\query"}, Anonymous: "none", Detect: Detect{Services: []string{"MSSQLSERVER"}, Ports: []int{1433}}, Breaks: ServiceBreak{Block: "clients that use np:, SQL Server 7 and 2000 defaults and old clusters", Firewall: "the same"}, Needs: "New installations use TCP and have named pipes off for the network; changing it needs a restart of SQL Server. Old Windows listed the pipe for strangers, though the login is always authenticated.", Unknown: []string{"That no login over the pipe is ever anonymous is known from its design and not from a document."}, Sources: []string{"D sql-docs", "D MS-SRVS 3.1.3"}},
		{ID: "sqlserver_named", Title: "SQL Server, named instance", Aliases: []string{"sql server named instance", "sql express"}, Names: []string{"MSSQL$<instance>\\sql\\query"}, Anonymous: "none", Detect: Detect{Services: []string{"MSSQL$*"}, Ports: []int{1434}}, Breaks: ServiceBreak{Block: "clients that use np:", Firewall: "the same; list the full name"}, Needs: "SQL Browser announces the name on UDP 1434; it can be changed.", Sources: []string{"D sql-docs", "D MC-SQLR 4"}},
		{ID: "sqlserver_2000_cluster", Title: "SQL Server 2000 cluster", Pipes: []string{"sql\\query"}, Names: []string{"MSSQL$<instance>\\sql\\query"}, Anonymous: "none", Breaks: ServiceBreak{Block: "an instance without named pipes that loses TCP cannot be repaired"}, Needs: "TCP and named pipes together.", Sources: []string{"D KB831127"}},
		{ID: "sms_1x_2x", Title: "Systems Management Server 1.x, 2.x", Aliases: []string{"sms"}, Pipes: []string{"sql\\query", "samr", "srvsvc"}, Anonymous: "legacy", Detect: Detect{Services: []string{"SMS_EXECUTIVE"}}, Breaks: ServiceBreak{Restrict: "network discovery, remote client installation and the user wizard", Block: "the site database over pipes; administrative shares are needed too"}, Needs: "Old.", Sources: []string{"D Q166196", "D Q311257", "D Q302413", "3 sophos-11459"}},
		{ID: "sccm_current", Title: "Configuration Manager", Aliases: []string{"sccm", "mecm"}, Pipes: []string{"svcctl"}, Anonymous: "none", Detect: Detect{Services: []string{"SMS_EXECUTIVE", "CcmExec"}}, Needs: "Authenticated.", Unknown: []string{"That client push uses ADMIN$ and IPC$ is common knowledge; no document was read."}, Sources: []string{"U ours"}},
		{ID: "exchange_55", Title: "Exchange 5.5", Aliases: []string{"exchange"}, Pipes: []string{"winreg"}, Names: []string{"00000<number>.<number>"}, Anonymous: "legacy", Detect: Detect{Services: []string{"MSExchangeIS"}}, Breaks: ServiceBreak{Restrict: "remote objects in the Administrator program", Block: "clients whose binding order starts with named pipes"}, Needs: "Old.", Sources: []string{"D Q196398", "D Q276223"}},
		{ID: "exchange_nspi", Title: "Exchange address book", Names: []string{"00000<number>.<number>"}, Anonymous: "none", Needs: "Pipes, HTTP or TCP.", Sources: []string{"D MS-NSPI 2.1"}},
		{ID: "sharepoint", Title: "SharePoint", Anonymous: "none", Detect: Detect{Services: []string{"SPTimerV4", "SPTimerV3"}}, Needs: "Through SQL Server; see there.", Unknown: []string{"No document was read."}, Sources: []string{"U ours"}},
		{ID: "oracle", Title: "Oracle Database", Aliases: []string{"oracle db", "oracle database"}, Names: []string{"<configured by the NMP adapter>"}, Anonymous: "unknown", Detect: Detect{Services: []string{"OracleService*", "Oracle*TNSListener*"}, Ports: []int{1521}}, Needs: "Listeners use TCP and local channels by default. An adapter for named pipes exists on Windows: look at listener.ora for PROTOCOL=NMP.", Unknown: []string{"Whether this host uses the named-pipe adapter; no Oracle page about it could be read."}, Sources: []string{"D oracle"}},
		{ID: "mysql", Title: "MySQL", Aliases: []string{"mariadb"}, Pipes: []string{"MySQL"}, Anonymous: "none", Detect: Detect{Services: []string{"MySQL*", "MariaDB"}, Ports: []int{3306}}, Breaks: ServiceBreak{Block: "only where named_pipe is switched on", Firewall: "the same"}, Needs: "Off by default and meant for local use.", Sources: []string{"D mysql"}},
		{ID: "postgresql", Title: "PostgreSQL", Anonymous: "none", Detect: Detect{Services: []string{"postgresql*"}, Ports: []int{5432}}, Needs: "TCP and Unix sockets.", Unknown: []string{"No document was read for the absence of pipes."}, Sources: []string{"U ours"}},
		{ID: "msdtc", Title: "Distributed transactions", Anonymous: "none", Detect: Detect{Services: []string{"MSDTC"}}, Needs: "RPC over TCP.", Unknown: []string{"No pipe is named in the specification read."}, Sources: []string{"D MS-CMPO 2.1"}},
		{ID: "backup_exec", Title: "Backup Exec", Anonymous: "none", Detect: Detect{Services: []string{"BackupExec*"}, Ports: []int{10000}}, Needs: "TCP port 10000 and dynamic ports.", Unknown: []string{"Whether installing agents needs administrative shares on this version."}, Sources: []string{"D veritas"}},
		{ID: "veeam", Title: "Veeam Backup", Aliases: []string{"veeam backup"}, Anonymous: "none", Detect: Detect{Services: []string{"Veeam*"}}, Needs: "Explicit credentials.", Unknown: []string{"That deployment uses the administrative share; only the list of agent ports was read."}, Sources: []string{"U veeam"}},
		{ID: "netbackup", Title: "NetBackup", Anonymous: "unknown", Detect: Detect{Services: []string{"NetBackup*"}}, Needs: "Not known.", Unknown: []string{"No document was read."}, Sources: []string{"U ours"}},
		{ID: "arcserve_nt4", Title: "ARCserve 6 on NT 4.0", Aliases: []string{"arcserve"}, Pipes: []string{"winreg"}, Anonymous: "legacy", Breaks: ServiceBreak{Restrict: "fails with code 5 until winreg is on the anonymous list"}, Needs: "Old.", Sources: []string{"D Q143138"}},
		{ID: "symantec_sav", Title: "Symantec AntiVirus", Anonymous: "unknown", Detect: Detect{Services: []string{"Symantec AntiVirus"}}, Needs: "Not known.", Unknown: []string{"No document was read."}, Sources: []string{"U ours"}},
		{ID: "samba_winbind", Title: "Samba winbind", Aliases: []string{"winbind"}, Pipes: []string{"lsarpc", "samr", "netlogon"}, Anonymous: "none", Needs: "Its machine account.", Unknown: []string{"That some lookups fall back to anonymous."}, Sources: []string{"U samba"}},
		{ID: "metadirectory_mms", Title: "Metadirectory Services", Pipes: []string{"samr"}, Anonymous: "legacy", Breaks: ServiceBreak{Restrict: "discovery of NT 4.0 domains as LocalSystem"}, Needs: "Old.", Sources: []string{"D Q260870"}},
		{ID: "remoteboot_nt4", Title: "Remoteboot of NT 4.0", Pipes: []string{"samr"}, Anonymous: "legacy", Breaks: ServiceBreak{Restrict: "all of it before SP4"}, Needs: "Old.", Applies: Scope{Products: []string{"nt4"}}, Sources: []string{"D Q192126"}},
		{ID: "ris_wds", Title: "Windows deployment", Aliases: []string{"ris", "wds"}, Anonymous: "none", Detect: Detect{Services: []string{"WDSServer"}}, Needs: "TFTP, DHCP and shares.", Unknown: []string{"No document was read."}, Sources: []string{"U ours"}},
		{ID: "localsystem_services_generic", Title: "Services without an account of their own", Aliases: []string{"localsystem services"}, Names: []string{"<any>"}, Anonymous: "legacy", Breaks: ServiceBreak{Restrict: "services that run as LocalSystem on NT 4.0 and reach this host without credentials"}, Needs: "List the exact pipe or share, or give the service an account.", Unknown: []string{"That members since Windows 2000 use the machine account instead is common knowledge; no document was read."}, Sources: []string{"D Q132679", "D Q124184", "D Q122702", "D Q126645"}},
		{ID: "lmhosts_include", Title: "lmhosts #INCLUDE at start-up", Aliases: []string{"lmhosts"}, Anonymous: "legacy", Breaks: ServiceBreak{Restrict: "the included file's share has to be on NullSessionShares"}, Needs: "A share, not a pipe.", Sources: []string{"D Q124184"}},
	},
	Needs: []Need{
		{ID: "none", Means: "not needed: it authenticates", Brief: "It signs in: restricting strangers leaves it alone."},
		{ID: "legacy", Means: "old clients needed it", Brief: "Old clients came without credentials.", On: &Scope{Until: "win2003r2"}, Sources: []string{"I MS-SRVS 3.1.3"}},
		{ID: "dc", Means: "a domain controller offers it by design", Brief: "A domain controller offers it to strangers by design.", On: &Scope{Until: "win2003r2"}, Controllers: true, Sources: []string{"I MS-SRVS 3.1.3"}},
		{ID: "unknown", Means: "not known", Brief: "Whether it needs strangers let in is not known."},
	},
	Benchmarks: []Benchmark{
		{ID: "cis-2016", Title: "CIS Microsoft Windows Server 2016", Version: "3.0.0", Products: []string{"win2016"}, Family: "cis", Source: "HK"},
		{ID: "cis-2019", Title: "CIS Microsoft Windows Server 2019", Version: "3.0.0", Products: []string{"win2019"}, Family: "cis", Source: "HK"},
		{ID: "cis-2022", Title: "CIS Microsoft Windows Server 2022", Version: "3.0.0", Products: []string{"win2022"}, Family: "cis", Source: "HK"},
		{ID: "cis-2025", Title: "CIS Microsoft Windows Server 2025", Version: "1.0.0", Products: []string{"win2025"}, Family: "cis", Source: "wazuh"},
		{ID: "cis-2016-dc", Title: "CIS Microsoft Windows Server 2016", Version: "3.0.0", Products: []string{"win2016"}, Roles: []model.Role{"domain-controller"}, Family: "cis", Source: "HK"},
		{ID: "cis-2019-dc", Title: "CIS Microsoft Windows Server 2019", Version: "3.0.0", Products: []string{"win2019"}, Roles: []model.Role{"domain-controller"}, Family: "cis", Source: "HK"},
		{ID: "cis-2022-dc", Title: "CIS Microsoft Windows Server 2022", Version: "3.0.0", Products: []string{"win2022"}, Roles: []model.Role{"domain-controller"}, Family: "cis", Source: "HK"},
		{ID: "cis-2025-dc", Title: "CIS Microsoft Windows Server 2025", Version: "1.0.0", Products: []string{"win2025"}, Roles: []model.Role{"domain-controller"}, Family: "cis", Source: "wazuh"},
		{ID: "cis-w10", Title: "CIS Microsoft Windows 10 Enterprise", Version: "3.0.0", Products: []string{"win10-22H2"}, Family: "cis", Source: "HK"},
		{ID: "cis-w11", Title: "CIS Microsoft Windows 11 Enterprise", Version: "3.0.0", Products: []string{"win11-23H2"}, Family: "cis", Source: "wazuh"},
		{ID: "stig-2016", Title: "DISA STIG Windows Server 2016", Version: "V2R10", Products: []string{"win2016"}, Family: "stig", Source: "powerstig"},
		{ID: "stig-2019", Title: "DISA STIG Windows Server 2019", Version: "V3R8", Products: []string{"win2019"}, Family: "stig", Source: "powerstig"},
		{ID: "stig-2022", Title: "DISA STIG Windows Server 2022", Version: "V2R8", Products: []string{"win2022"}, Family: "stig", Source: "powerstig"},
		{ID: "stig-2025", Title: "DISA STIG Windows Server 2025", Version: "V1R1", Products: []string{"win2025"}, Family: "stig", Source: "powerstig"},
		{ID: "stig-w10", Title: "DISA STIG Windows 10", Version: "V3R6", Products: []string{"win10-22H2"}, Family: "stig", Source: "powerstig"},
		{ID: "stig-w11", Title: "DISA STIG Windows 11", Version: "V2R7", Products: []string{"win11-23H2"}, Family: "stig", Source: "powerstig"},
		{ID: "msft-2022", Title: "Microsoft security baseline Windows Server 2022", Version: "2022", Products: []string{"win2022"}, Family: "msft", Source: "msft-baseline"},
		{ID: "msft-w11", Title: "Microsoft security baseline Windows 11", Version: "24H2", Products: []string{"win11-24H2"}, Family: "msft", Source: "msft-baseline"},
		{ID: "nist", Title: "NIST SP 800-53", Version: "through DISA's CCI list", Family: "nist", Source: "nist"},
		{ID: "attack", Title: "MITRE ATT&CK", Version: "enterprise", Family: "attack", Source: "ours"},
	},
	CCI: []CCI{
		{ID: "CCI-000366", NIST: "CM-6 b"},
		{ID: "CCI-001090", NIST: "SC-4"},
		{ID: "CCI-002235", NIST: "AC-6(10)"},
		{ID: "CCI-000381", NIST: "CM-7 a"},
		{ID: "CCI-002418", NIST: "SC-8"},
		{ID: "CCI-002421", NIST: "SC-8(1)"},
		{ID: "CCI-001967", NIST: "IA-3(1)"},
	},
	Controls: []ControlRow{
		{Setting: "LSAAnonymousNameLookup", Value: "0", IDs: map[string]string{"cis-2016": "2.3.10.1", "cis-2019": "2.3.10.1", "cis-2022": "2.3.10.1", "cis-2025": "2.3.10.1", "cis-w10": "2.3.10.1", "cis-w11": "2.3.10.1", "msft-2022": "LSAAnonymousNameLookup", "msft-w11": "LSAAnonymousNameLookup", "stig-2016": "V-225044", "stig-2019": "V-205913", "stig-2022": "V-254465", "stig-2025": "V-278215", "stig-w10": "V-220928", "stig-w11": "V-253452"}, CCI: []string{"CCI-000366"}, Attack: []string{"T1087.001", "T1087.002", "T1069.001"}, Level: "high", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "RestrictAnonymousSAM", Value: "1", Roles: map[string][]model.Role{"cis": {"member", "standalone", "workstation"}}, IDs: map[string]string{"cis-2016": "2.3.10.2", "cis-2019": "2.3.10.2", "cis-2022": "2.3.10.2", "cis-2025": "2.3.10.2", "cis-w10": "2.3.10.2", "cis-w11": "2.3.10.2", "msft-2022": "RestrictAnonymousSAM", "msft-w11": "RestrictAnonymousSAM", "stig-2016": "V-225045", "stig-2019": "V-205914", "stig-2022": "V-254466", "stig-2025": "V-278216", "stig-w10": "V-220929", "stig-w11": "V-253453"}, CCI: []string{"CCI-000366"}, Attack: []string{"T1087.001", "T1069.001", "T1201"}, Level: "high", Notes: "CIS asks it of member servers alone, DISA and Microsoft of domain controllers too, where it does nothing.", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "RestrictAnonymous", Value: "1", Roles: map[string][]model.Role{"cis": {"member", "standalone", "workstation"}}, IDs: map[string]string{"cis-2016": "2.3.10.3", "cis-2019": "2.3.10.3", "cis-2022": "2.3.10.3", "cis-2025": "2.3.10.3", "cis-w10": "2.3.10.3", "cis-w11": "2.3.10.3", "msft-2022": "RestrictAnonymous", "msft-w11": "RestrictAnonymous", "stig-2016": "V-225046", "stig-2019": "V-205724", "stig-2022": "V-254467", "stig-2025": "V-278217", "stig-w10": "V-220930", "stig-w11": "V-253454"}, CCI: []string{"CCI-001090"}, Attack: []string{"T1135"}, Level: "high", Notes: "CIS asks it of member servers alone, DISA and Microsoft of domain controllers too, where it does nothing.", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "EveryoneIncludesAnonymous", Value: "0", IDs: map[string]string{"cis-2016": "2.3.10.5", "cis-2019": "2.3.10.5", "cis-2022": "2.3.10.5", "cis-2025": "2.3.10.5", "cis-w10": "2.3.10.5", "cis-w11": "2.3.10.5", "stig-2016": "V-225047", "stig-2019": "V-205915", "stig-2022": "V-254468", "stig-2025": "V-278218", "stig-w10": "V-220931", "stig-w11": "V-253455"}, CCI: []string{"CCI-000366"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "NullSessionPipes", Value: "empty; on a domain controller lsarpc, netlogon, samr", IDs: map[string]string{"cis-2016": "2.3.10.7", "cis-2016-dc": "2.3.10.6", "cis-2019": "2.3.10.7", "cis-2019-dc": "2.3.10.6", "cis-2022": "2.3.10.7", "cis-2022-dc": "2.3.10.6", "cis-2025": "2.3.10.7", "cis-2025-dc": "2.3.10.6", "cis-w10": "2.3.10.6", "cis-w11": "2.3.10.6"}, Attack: []string{"T1021.002", "T1112"}, Notes: "No current DISA STIG and no Microsoft baseline has it. Published checks of it pass lists with extra pipes.", Sources: []string{"M HK", "M wazuh"}},
		{Setting: "RestrictNullSessAccess", Value: "1", IDs: map[string]string{"cis-2016": "2.3.10.10", "cis-2019": "2.3.10.10", "cis-2022": "2.3.10.10", "cis-2025": "2.3.10.10", "cis-w10": "2.3.10.9", "cis-w11": "2.3.10.9", "msft-2022": "RestrictNullSessAccess", "msft-w11": "RestrictNullSessAccess", "stig-2016": "V-225048", "stig-2019": "V-205725", "stig-2022": "V-254469", "stig-2025": "V-278219", "stig-w10": "V-220932", "stig-w11": "V-253456"}, CCI: []string{"CCI-001090"}, Level: "high", Notes: "DISA's text points at list requirements that its current STIGs no longer have.", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "RestrictRemoteSAM", Value: "O:BAG:BAD:(A;;RC;;;BA)", Roles: map[string][]model.Role{"cis": {"member", "standalone", "workstation"}, "msft": {"member", "standalone", "workstation"}, "stig": {"member", "standalone", "workstation"}}, IDs: map[string]string{"cis-2016": "2.3.10.11", "cis-2019": "2.3.10.11", "cis-2022": "2.3.10.11", "cis-2025": "2.3.10.11", "cis-w10": "2.3.10.10", "cis-w11": "2.3.10.10", "msft-2022": "RestrictRemoteSAM", "msft-w11": "RestrictRemoteSAM", "stig-2016": "V-225013", "stig-2019": "V-205747", "stig-2022": "V-254433", "stig-2025": "V-278182", "stig-w10": "V-220933", "stig-w11": "V-253457"}, CCI: []string{"CCI-002235"}, Attack: []string{"T1087.001", "T1069.001"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "NullSessionShares", Value: "empty", IDs: map[string]string{"cis-2016": "2.3.10.12", "cis-2019": "2.3.10.12", "cis-2022": "2.3.10.12", "cis-2025": "2.3.10.12", "cis-w10": "2.3.10.11", "cis-w11": "2.3.10.11"}, Attack: []string{"T1135"}, Sources: []string{"M HK", "M wazuh"}},
		{Setting: "ForceGuest", Value: "0", IDs: map[string]string{"cis-2016": "2.3.10.13", "cis-2019": "2.3.10.13", "cis-2022": "2.3.10.13", "cis-2025": "2.3.10.13", "cis-w10": "2.3.10.12", "cis-w11": "2.3.10.12"}, Sources: []string{"M HK", "M wazuh"}},
		{Setting: "AllowNullSessionFallback", Value: "0", IDs: map[string]string{"cis-2016": "2.3.11.2", "cis-2019": "2.3.11.2", "cis-2022": "2.3.11.2", "cis-2025": "2.3.11.2", "cis-w10": "2.3.11.2", "cis-w11": "2.3.11.2", "msft-2022": "AllowNullSessionFallback", "msft-w11": "AllowNullSessionFallback", "stig-2016": "V-225050", "stig-2019": "V-205917", "stig-2022": "V-254471", "stig-2025": "V-278221", "stig-w10": "V-220934", "stig-w11": "V-253458"}, CCI: []string{"CCI-000366"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "LmCompatibilityLevel", Value: "5", IDs: map[string]string{"cis-2016": "2.3.11.7", "cis-2019": "2.3.11.7", "cis-2022": "2.3.11.7", "cis-2025": "2.3.11.7", "cis-w10": "2.3.11.7", "cis-w11": "2.3.11.7", "msft-2022": "LmCompatibilityLevel", "msft-w11": "LmCompatibilityLevel", "stig-2016": "V-225054", "stig-2019": "V-205919", "stig-2022": "V-254475", "stig-2025": "V-278225", "stig-w10": "V-220938", "stig-w11": "V-253462"}, CCI: []string{"CCI-000366"}, Level: "high", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "RequireSecuritySignature", Value: "1", IDs: map[string]string{"cis-2016": "2.3.9.2", "cis-2019": "2.3.9.2", "cis-2022": "2.3.9.2", "cis-2025": "2.3.9.2", "cis-w10": "2.3.9.2", "cis-w11": "2.3.9.2", "msft-2022": "RequireSecuritySignature", "msft-w11": "RequireSecuritySignature", "stig-2016": "V-225042", "stig-2019": "V-205827", "stig-2022": "V-254463", "stig-2025": "V-278213", "stig-w10": "V-220927", "stig-w11": "V-253451"}, CCI: []string{"CCI-002418", "CCI-002421"}, Attack: []string{"T1557.001"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "EnableSecuritySignature", Value: "1", IDs: map[string]string{"cis-2016": "2.3.9.3", "cis-2019": "2.3.9.3", "cis-2022": "2.3.9.3", "cis-2025": "2.3.9.3", "cis-w10": "2.3.9.3", "cis-w11": "2.3.9.3", "stig-2016": "V-225043", "stig-2019": "V-205828", "stig-2022": "V-254464", "stig-2025": "V-278214"}, Level: "medium", Notes: "Ignored by SMB2 and later.", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "LanmanWorkstation.RequireSecuritySignature", Value: "1", IDs: map[string]string{"cis-2016": "2.3.8.1", "cis-2019": "2.3.8.1", "cis-2022": "2.3.8.1", "cis-2025": "2.3.8.1", "cis-w10": "2.3.8.1", "cis-w11": "2.3.8.1", "msft-2022": "LanmanWorkstation.RequireSecuritySignature", "msft-w11": "LanmanWorkstation.RequireSecuritySignature", "stig-2016": "V-225039", "stig-2019": "V-205825", "stig-2022": "V-254460", "stig-2025": "V-278210", "stig-w10": "V-220925", "stig-w11": "V-253449"}, Attack: []string{"T1557.001"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "SMB1", Value: "0", IDs: map[string]string{"cis-2016": "18.4.4", "cis-2019": "18.4.4", "cis-2022": "18.4.4", "cis-2025": "18.4.3", "cis-w10": "18.4.4", "cis-w11": "18.4.4", "msft-2022": "SMB1", "msft-w11": "SMB1", "stig-2016": "V-224857", "stig-2019": "V-205683", "stig-2022": "V-254276", "stig-2025": "V-278024", "stig-w10": "V-220730", "stig-w11": "V-253287"}, CCI: []string{"CCI-000381"}, Attack: []string{"T1210"}, Level: "medium", Notes: "The number moved by one between versions of the CIS benchmarks.", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "MrxSmb10.Start", Value: "4", IDs: map[string]string{"cis-2016": "18.4.3", "cis-2019": "18.4.3", "cis-2022": "18.4.3", "cis-2025": "18.4.2", "cis-w10": "18.4.3", "cis-w11": "18.4.3", "msft-2022": "MrxSmb10.Start", "msft-w11": "MrxSmb10.Start", "stig-2016": "V-224858", "stig-2019": "V-205684", "stig-2022": "V-254277", "stig-2025": "V-278025", "stig-w10": "V-220731", "stig-w11": "V-253288"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "AllowInsecureGuestAuth", Value: "0", IDs: map[string]string{"cis-2016": "18.6.8.1", "cis-2019": "18.6.8.1", "cis-2022": "18.6.8.1", "cis-2025": "18.6.8.5", "cis-w10": "18.6.8.1", "cis-w11": "18.6.8.1", "msft-2022": "AllowInsecureGuestAuth", "msft-w11": "AllowInsecureGuestAuth", "stig-2016": "V-224920", "stig-2019": "V-205861", "stig-2022": "V-254339", "stig-2025": "V-278086", "stig-w10": "V-220802", "stig-w11": "V-253360"}, CCI: []string{"CCI-000366"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "EnableGuestAccount", Value: "0", Roles: map[string][]model.Role{"cis": {"member", "standalone", "workstation"}}, IDs: map[string]string{"cis-2016": "2.3.1.2", "cis-2019": "2.3.1.2", "cis-2022": "2.3.1.2", "cis-2025": "2.3.1.1", "cis-w10": "2.3.1.2", "cis-w11": "2.3.1.2", "stig-2016": "V-225024", "stig-2019": "V-205709", "stig-2022": "V-254445", "stig-2025": "V-278195", "stig-w10": "V-220909", "stig-w11": "V-253433"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "NewGuestName", Value: "another name", IDs: map[string]string{"cis-2016": "2.3.1.5", "cis-2019": "2.3.1.5", "cis-2022": "2.3.1.5", "cis-2025": "2.3.1.4", "cis-w10": "2.3.1.5", "cis-w11": "2.3.1.5", "stig-2016": "V-225027", "stig-2019": "V-205910", "stig-2022": "V-254448", "stig-2025": "V-278198", "stig-w10": "V-220912", "stig-w11": "V-253436"}, Level: "medium", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "RestrictRemoteClients", Value: "1", Roles: map[string][]model.Role{"cis": {"member", "standalone", "workstation"}, "msft": {"member", "standalone", "workstation"}}, IDs: map[string]string{"cis-2016": "18.9.36.2", "cis-2019": "18.9.36.2", "cis-2022": "18.9.36.2", "cis-2025": "18.9.36.2", "cis-w10": "18.9.36.2", "cis-w11": "18.9.36.2", "msft-2022": "RestrictRemoteClients", "stig-2016": "V-225010", "stig-2019": "V-205814", "stig-2022": "V-254431", "stig-w10": "V-220824", "stig-w11": "V-253383"}, CCI: []string{"CCI-001967"}, Level: "medium", Notes: "Does nothing for named pipes at 1. Wazuh's older lists number it 18.9.35.2.", Sources: []string{"M HK", "M wazuh", "M powerstig"}},
		{Setting: "AllowedExactPaths", Value: "as listed there", IDs: map[string]string{"cis-2016": "2.3.10.8", "cis-2019": "2.3.10.8", "cis-2022": "2.3.10.8", "cis-2025": "2.3.10.8", "cis-w10": "2.3.10.7", "cis-w11": "2.3.10.7"}, Sources: []string{"M HK", "M wazuh"}},
		{Setting: "AllowedPaths", Value: "as listed there", IDs: map[string]string{"cis-2016": "2.3.10.9", "cis-2019": "2.3.10.9", "cis-2022": "2.3.10.9", "cis-2025": "2.3.10.9", "cis-w10": "2.3.10.8", "cis-w11": "2.3.10.8"}, Sources: []string{"M HK", "M wazuh"}},
		{Setting: "SmbServerNameHardeningLevel", Value: "1 or more", IDs: map[string]string{"cis-2016": "2.3.9.5", "cis-2019": "2.3.9.5", "cis-2022": "2.3.9.5", "cis-2025": "2.3.9.5", "cis-w10": "2.3.9.5", "cis-w11": "2.3.9.5"}, Sources: []string{"M HK", "M wazuh"}},
		{Setting: "LanmanServer.Start", Value: "4", IDs: map[string]string{"cis-w10": "5.28", "cis-w11": "5.26"}, Notes: "Level 2 of the benchmarks for workstations.", Sources: []string{"K HK"}},
		{Setting: "MinSmb2Dialect", Value: "785; 768 for Microsoft", IDs: map[string]string{"cis-2025": "18.6.7.5", "msft-w11": "MinSmb2Dialect"}, Sources: []string{"M wazuh", "M msft-baseline"}},
		{Setting: "AuditInsecureGuestLogon", Value: "1", IDs: map[string]string{"cis-2025": "18.6.7.3", "msft-w11": "AuditInsecureGuestLogon"}, Sources: []string{"M wazuh", "M msft-baseline"}},
		{Setting: "EnableAuthRateLimiter", Value: "1", IDs: map[string]string{"cis-2025": "18.6.8.4", "msft-w11": "EnableAuthRateLimiter"}, Sources: []string{"M wazuh", "M msft-baseline"}},
		{Setting: "InvalidAuthenticationDelayTimeInMs", Value: "2000", IDs: map[string]string{"cis-2025": "18.6.7.6", "msft-w11": "InvalidAuthenticationDelayTimeInMs"}, Sources: []string{"M wazuh", "M msft-baseline"}},
		{Setting: "TurnOffAnonymousBlock", IDs: map[string]string{}, Notes: "No benchmark has it in place; one Wazuh policy tests it instead of name lookup. No benchmark read has it.", Sources: []string{"M HK", "M wazuh"}},
		{Setting: "AutoShareServer", IDs: map[string]string{}, Attack: []string{"T1070.005"}, Notes: "Sigma reports a change to 0. No benchmark read has it.", Sources: []string{"M HK", "M wazuh"}},
		{Setting: "AutoShareWks", IDs: map[string]string{}, Attack: []string{"T1070.005"}, Notes: "Sigma reports a change to 0. No benchmark read has it.", Sources: []string{"M HK", "M wazuh"}},
		{Setting: "SrvsvcSessionInfo", IDs: map[string]string{}, Attack: []string{"T1049", "T1033"}, Notes: "No benchmark read has it.", Sources: []string{"M HK", "M wazuh"}},
		{Setting: "RejectUnencryptedAccess", IDs: map[string]string{}, Notes: "No benchmark read has it.", Sources: []string{"M HK", "M wazuh"}},
		{Setting: "PipeFirewallActive", IDs: map[string]string{}, Notes: "No benchmark read has it.", Sources: []string{"M HK", "M wazuh"}},
		{Setting: "AllowedPipes", IDs: map[string]string{}, Notes: "No benchmark read has it.", Sources: []string{"M HK", "M wazuh"}},
	},
	Findings: []Finding{
		{ID: "weak-setting", Title: "A setting leaves a door open", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "The value in effect is weaker than what closes the door on this product and role. How bad it is follows from what is disclosed because of it.", Fix: Advice{"any": {
			{Say: "Set the wanted value; see the setting."},
		}}, Sources: []string{"I ours"}},
		{ID: "contradictory-settings", Title: "Two settings contradict each other", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "One setting takes back what the other one gives, so one of them is not what somebody meant.", Fix: Advice{"any": {
			{Say: "Decide which of the two is meant."},
		}}, Sources: []string{"I ours"}},
		{ID: "setting-without-effect", Title: "A setting that does nothing here", Kind: "audit", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "The value is written, and this product or role does not read it. It gives comfort and no protection.", Fix: Advice{"any": {
			{Say: "Remove it, and set what works on this product."},
		}}, Settings: []string{"RestrictAnonymous", "AutoShareWks", "AutoShareServer", "EnableSecuritySignature"}, Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares", "D Q185590"}},
		{ID: "ra2-after-2000", Title: "RestrictAnonymous 2 does not close IPC$ here", Kind: "audit", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "The value 2 belongs to Windows 2000. On this release it is not written by policy and IPC$ stays connectable.", Fix: Advice{"any": {
			{Say: "Set 1, and close pipes through NullSessionPipes and RestrictNullSessAccess."},
		}}, Settings: []string{"RestrictAnonymous", "NullSessionPipes"}, Sources: []string{"D KB3034016", "D cc963223"}},
		{ID: "restrict-anonymous-on-dc", Title: "RestrictAnonymous does nothing on a domain controller", Kind: "audit", Severity: []Grade{
			{Level: "info"},
		}, Meaning: "Domain controllers do not read it. What strangers see there follows from the pipe list and Pre-Windows 2000 Compatible Access.", Fix: Advice{"any": {
			{Say: "Look at those two instead."},
		}}, Settings: []string{"RestrictAnonymous", "RestrictAnonymousSAM", "PreWindows2000Members"}, Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares"}},
		{ID: "autoshare-wrong-product", Title: "The AutoShare value of the other product family", Kind: "audit", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "AutoShareWks is read by workstations and AutoShareServer by servers; the other one does nothing.", Fix: Advice{"any": {
			{Say: "Use the one that fits. Neither removes IPC$."},
		}}, Settings: []string{"AutoShareServer", "AutoShareWks"}, Sources: []string{"D Q185590", "D KB954422"}},
		{ID: "autoshare-does-not-remove-ipc", Title: "Administrative shares are off and IPC$ is still there", Kind: "audit", Severity: []Grade{
			{Level: "info"},
		}, Meaning: "If this was meant to close IPC$, it did not.", Fix: Advice{"any": {
			{Say: "Restrict anonymous callers instead."},
		}}, Settings: []string{"AutoShareServer", "AutoShareWks"}, Sources: []string{"D KB954422"}},
		{ID: "signature-switch-ignored", Title: "EnableSecuritySignature is ignored by SMB2 and later", Kind: "audit", Severity: []Grade{
			{Level: "info"},
		}, Meaning: "It counts for SMB1 alone.", Fix: Advice{"any": {
			{Say: "Use RequireSecuritySignature."},
		}}, Settings: []string{"EnableSecuritySignature", "RequireSecuritySignature"}, Sources: []string{"D WSD smb-signing"}},
		{ID: "anonymous-block-off", Title: "The block on anonymous policy calls is switched off", Kind: "audit", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "medium"},
			{Level: "high"},
		}, Meaning: "TurnOffAnonymousBlock is not 0. Its name is meant literally: strangers may open the security policy.", Fix: Advice{"any": {
			{Say: "Delete the value or set it to 0; it works at once."},
		}}, Settings: []string{"TurnOffAnonymousBlock"}, Sources: []string{"D MS-LSAD 3.1.1.6.1"}},
		{ID: "null-session-unrestricted", Title: "Every pipe and share takes strangers", Kind: "audit", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "RestrictNullSessAccess is 0, so the lists of pipes and shares count for nothing.", Fix: Advice{"any": {
			{Say: "Set it to 1 or delete it."},
		}}, Settings: []string{"RestrictNullSessAccess", "NullSessionPipes", "NullSessionShares"}, Sources: []string{"D cc957461", "D SPS network-access-restrict-anonymous-access-to-named-pipes-and-shares"}},
		{ID: "pipe-list-irrelevant", Title: "The pipe list does not matter", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "NullSessionPipes is set with care while RestrictNullSessAccess is 0, so everything is open.", Fix: Advice{"any": {
			{Say: "Set RestrictNullSessAccess to 1."},
		}}, Settings: []string{"NullSessionPipes", "RestrictNullSessAccess"}, Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		{ID: "unexpected-anonymous-pipe", Title: "A pipe on the anonymous list that does not belong there", Kind: "audit", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "A name is open to strangers that neither this release nor a service found here needs. Adding one is a known way to keep a back door.", Fix: Advice{"any": {
			{Say: "Find out who added it, then take it off the list."},
		}}, Settings: []string{"NullSessionPipes"}, Refs: []string{"ATT&CK T1112", "ATT&CK T1021.002"}, Sources: []string{"3 evtx-samples", "M elastic ddab1f5f"}},
		{ID: "role-decides-pipes", Title: "Whether these pipes belong on the list depends on the role", Kind: "audit", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "Domain controllers open netlogon, samr and lsarpc to strangers by design; on any other machine these names give strangers accounts and policy.", Fix: Advice{"any": {
			{Say: "Say which it is: --role domain-controller, member or workstation."},
		}}, Settings: []string{"NullSessionPipes"}, Sources: []string{"D SPS network-access-named-pipes-that-can-be-accessed-anonymously"}},
		{ID: "names-joined", Title: "Names that ran together in one entry", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "A tool wrote a list as one entry. No pipe or share has that name, so none of those that were meant is on the list.", Fix: Advice{"any": {
			{Say: "Write each name that is needed as an entry of its own, and leave out the rest."},
		}}, Settings: []string{"NullSessionPipes", "NullSessionShares"}, Sources: []string{"M gpregistrypolicydsc 25"}},
		{ID: "unexpected-anonymous-share", Title: "A share on the anonymous list", Kind: "audit", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "Strangers may open this share.", Fix: Advice{"any": {
			{Say: "Take it off NullSessionShares."},
		}}, Settings: []string{"NullSessionShares"}, Sources: []string{"D SPS network-access-shares-that-can-be-accessed-anonymously"}},
		{ID: "misspelt-setting", Title: "A misspelt name that nothing reads", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "The value looks like a known setting and is not one, so the setting has its default.", Fix: Advice{"any": {
			{Say: "Write the right name and remove the wrong one."},
		}}, Settings: []string{"RestrictNullSessAccess"}, Sources: []string{"D cc957461"}},
		{ID: "wrong-type", Title: "A value of the wrong type", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "The system may ignore it or fail over it: a list written as plain text breaks Get-SmbServerConfiguration, for one.", Fix: Advice{"any": {
			{Say: "Write it again with the right type, whole and well formed."},
		}}, Settings: []string{"NullSessionShares", "NullSessionPipes"}, Sources: []string{"D Q162695", "D Q167196"}},
		{ID: "second-layer-grants-anonymous", Title: "The Server service's own descriptors let strangers in", Kind: "audit", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "Under DefaultSecurity some descriptors grant Anonymous Logon or Everyone. They are the second layer: they count once the pipe and the main switches let a stranger through.", Fix: Advice{"any": {
			{Say: "Set RestrictAnonymous to 1 and restart the Server service, which is expected to rewrite them."},
		}}, Settings: []string{"SrvsvcShareConnect", "SrvsvcShareFileInfo", "SrvsvcConfigInfo", "RestrictAnonymous"}, Sources: []string{"M hives", "I ours"}},
		{ID: "pending-restart", Title: "A change that is not in force yet", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "RestrictAnonymous differs from what the Server service last noted in PreviousAnonymousRestriction: the service has not been started since. This is an inference, not documented.", Fix: Advice{"any": {
			{Say: "Restart the Server service or the computer, then look again."},
		}}, Settings: []string{"RestrictAnonymous", "PreviousAnonymousRestriction"}, Sources: []string{"M hives", "I ours"}},
		{ID: "guest-enabled", Title: "The guest account is enabled", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Callers without valid credentials may come in as guest.", Fix: Advice{"any": {
			{Say: "Disable it."},
		}}, Settings: []string{"EnableGuestAccount", "ForceGuest"}, Sources: []string{"D SPS accounts-guest-account-status"}},
		{ID: "everyone-includes-anonymous", Title: "Strangers count as Everyone", Kind: "audit", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "Whatever is given to Everyone is given to strangers.", Fix: Advice{"any": {
			{Say: "Set EveryoneIncludesAnonymous to 0."},
		}}, Settings: []string{"EveryoneIncludesAnonymous"}, Sources: []string{"D SPS network-access-let-everyone-permissions-apply-to-anonymous-users"}},
		{ID: "legacy-group-open", Title: "Strangers are in Pre-Windows 2000 Compatible Access", Kind: "audit", Severity: []Grade{
			{Level: "critical"},
		}, Meaning: "Everyone or Anonymous Logon may read the accounts of the domain, as soon as the samr or lsarpc pipe lets him in, which it does by default on a domain controller.", Fix: Advice{"any": {
			{Say: "Take them out; leave Authenticated Users."},
		}}, Settings: []string{"PreWindows2000Members", "NullSessionPipes"}, Sources: []string{"D MS-SAMR 3.1.4.2"}},
		{ID: "pipe-firewall-active", Title: "The pipe firewall is on", Kind: "audit", Severity: []Grade{
			{Level: "info"},
		}, Meaning: "Pipes that are not listed are refused to everybody. Whether Vista and later honour it is not known.", Fix: Advice{"any": {
			{Say: "Check with a scan what it really does here."},
		}}, Settings: []string{"PipeFirewallActive", "AllowedPipes"}, Sources: []string{"D KB925890", "3 HSC"}},
		{ID: "pipe-firewall-empty", Title: "The pipe firewall lets nothing through", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "It is on and its list is empty: no pipe opens for anybody, which stops every service on pipes.", Fix: Advice{"any": {
			{Say: "List what is needed, or switch it off."},
		}}, Settings: []string{"PipeFirewallActive", "AllowedPipes"}, Sources: []string{"3 HSC"}},
		{ID: "rpc-clients-not-ipc", Title: "RestrictRemoteClients does not cover pipes", Kind: "audit", Severity: []Grade{
			{Level: "info"},
		}, Meaning: "Calls over named pipes are exempt at 1, and at 2 by Microsoft's own pages too: it gives IPC$ no protection.", Fix: Advice{"any": {
			{Say: "Close the pipes."},
		}}, Settings: []string{"RestrictRemoteClients"}, Sources: []string{"D win32 rpc-interface-restrict", "D MS-RPCE 3.1.1.1.3"}},
		{ID: "remote-sam-audit-only", Title: "The filter on remote account calls only logs", Kind: "audit", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "RestrictRemoteSAM refuses nobody while the audit mode is on.", Fix: Advice{"any": {
			{Say: "Read the events, then switch the audit mode off."},
		}}, Settings: []string{"RestrictRemoteSamAuditOnlyMode", "RestrictRemoteSAM"}, Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		{ID: "ipc-section-ignored", Title: "A line in [IPC$] that Samba ignores", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "guest ok, available and path are overwritten in this section. The line gives comfort and no protection.", Fix: Advice{"any": {
			{Say: "Use restrict anonymous = 2, invalid users or hosts allow."},
		}}, Settings: []string{"IPC$:guest ok", "IPC$:available", "IPC$:path", "restrict anonymous"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "guest-share-beside-restrict", Title: "A guest share beside restrict anonymous = 2", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "IPC$ is closed to strangers and this share is not.", Fix: Advice{"any": {
			{Say: "Set guest ok = no on the share unless it is meant."},
		}}, Settings: []string{"guest ok", "restrict anonymous"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "restrict-anonymous-one", Title: "restrict anonymous = 1 leaves pipes open", Kind: "audit", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "lsarpc, winreg, svcctl, spoolss and more still answer strangers; on a domain controller samr does too.", Fix: Advice{"any": {
			{Say: "Set it to 2."},
		}}, Settings: []string{"restrict anonymous"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "guest-account-root", Title: "Strangers work as root", Kind: "audit", Severity: []Grade{
			{Level: "critical"},
		}, Meaning: "guest account is root: anonymous and guest sessions have every right on the host. A null session wrote its registry, and read a folder that is closed to all but root.", Fix: Advice{"any": {
			{Say: "Set guest account to nobody, and give nobody what the shares need."},
		}}, Settings: []string{"guest account"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "observed-differs", Title: "The scan saw something else", Kind: "joined", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "What the configuration should do and what a stranger got differ: a stale worker, a pending restart, a policy that overrides, or another host.", Fix: Advice{"any": {
			{Say: "Restart the service, look for a policy, and make sure that both belong to one host."},
		}}, Sources: []string{"I ours"}},
		{ID: "open-despite-configuration", Title: "Open although the configuration closes it", Kind: "joined", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "A stranger was given what the configuration refuses. The change is not in force, or this is not the configuration of this host.", Fix: Advice{"any": {
			{Say: "Restart what holds the old configuration, then scan again."},
		}}, Sources: []string{"M samba-4.17.12"}},
		{ID: "remote-sam-filter-on-dc", Title: "A filter on remote account calls on a domain controller", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Domain controllers answer account calls for logons, remote desktop, Exchange and look-ups of groups. A filter there refuses whoever it does not name; Microsoft's baseline leaves domain controllers out.", Fix: Advice{"any": {
			{Say: "Turn RestrictRemoteSamAuditOnlyMode on and read event 16968, or take the filter off: delete the value, and the policy that writes it."},
		}}, Settings: []string{"RestrictRemoteSAM", "RestrictRemoteSamAuditOnlyMode"}, Sources: []string{"3 defender-identity 434", "D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		{ID: "network-logon-open", Title: "Strangers may log on over the network", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "The right to log on over the network names guests or anonymous callers.", Fix: Advice{"any": {
			{Say: "Take them off Access this computer from the network, and put Guests on the list of those who may not."},
		}}, Settings: []string{"SeNetworkLogonRight", "SeDenyNetworkLogonRight"}, Sources: []string{"D SPS access-this-computer-from-the-network"}},
		{ID: "network-logon-denied-to-all", Title: "Nobody may log on over the network", Kind: "audit", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Everyone is on the list of those who may not log on over the network, and the list goes before the right. Files, printers and management stop with the strangers.", Fix: Advice{"any": {
			{Say: "Name those who are meant: Guests, local accounts."},
		}}, Settings: []string{"SeDenyNetworkLogonRight"}, Sources: []string{"D SPS deny-access-to-this-computer-from-the-network"}},
		{ID: "exception-stands", Title: "An exception from a rule against weak logons stands", Kind: "audit", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "Some servers or accounts are exempt from a rule that ends weak logons. An exception is meant to last until they are mended, and nothing else reminds of it.", Fix: Advice{"any": {
			{Say: "See with ipcguard observe --logons whether they still come in the weak way. Take off the exceptions that nobody needs, and mend the rest."},
		}}, Settings: []string{"ClientAllowedNTLMServers", "DCAllowedNTLMServers", "LanmanWorkstation.BlockNTLMServerExceptionList", "RestrictSendingNTLMTraffic", "RestrictNTLMInDomain", "LanmanWorkstation.BlockNTLM", "server schannel require seal", "server require schannel:ACCOUNT", "server schannel require seal:ACCOUNT", "server schannel", "allow nt4 crypto", "allow nt4 crypto:ACCOUNT", "reject md5 clients", "server reject md5 schannel:ACCOUNT"}, Sources: []string{"D SPS network-security-restrict-ntlm-add-server-exceptions-in-this-domain", "D SPS network-security-restrict-ntlm-add-remote-server-exceptions-for-ntlm-authentication", "D policy-csp lanmanworkstation", "S samba"}},
		{ID: "anonymous-lists-accounts", Title: "A stranger lists accounts", Kind: "scan", Identity: "anonymous", Discloses: "accounts", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "critical"},
			{Level: "high"},
		}, Meaning: "Names to try passwords against, disabled and service accounts included.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Scope: Scope{Until: "win2000"}, Say: "RestrictAnonymous = 1. This release opens samr to anonymous callers whatever the list of pipes says."},
			{Say: "RestrictAnonymousSAM = 1 and no samr in NullSessionPipes; on a domain controller take Everyone and Anonymous Logon out of Pre-Windows 2000 Compatible Access."},
		}}, Settings: []string{"RestrictAnonymousSAM", "RestrictAnonymous", "PreWindows2000Members", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"samr"}, Refs: []string{"CVE-1999-0520", "ATT&CK T1087.001"}, Sources: []string{"D Q143474", "D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts", "3 nessus"}},
		{ID: "anonymous-lists-groups", Title: "A stranger lists groups", Kind: "scan", Identity: "anonymous", Discloses: "groups", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "Shows who the administrators are.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Scope: Scope{Until: "win2000"}, Say: "RestrictAnonymous = 1, as for accounts; whether groups are then held back, too, is not documented."},
			{Say: "As for accounts: close samr to strangers."},
		}}, Settings: []string{"RestrictAnonymousSAM", "RestrictAnonymous", "PreWindows2000Members", "restrict anonymous"}, Pipes: []string{"samr"}, Refs: []string{"ATT&CK T1069.001"}, Sources: []string{"D MS-SAMR 3.1.5"}},
		{ID: "anonymous-reads-password-policy", Title: "A stranger reads the password policy", Kind: "scan", Identity: "anonymous", Discloses: "password-policy", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Tells how many wrong passwords go unpunished and how short a password may be.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Scope: Scope{Until: "win2000"}, Say: "RestrictAnonymous = 1; NT 4.0 gives the policy all the same without a later fix."},
			{Say: "Close samr to strangers."},
		}}, Settings: []string{"RestrictAnonymous", "RestrictAnonymousSAM", "restrict anonymous"}, Pipes: []string{"samr"}, Refs: []string{"ATT&CK T1201"}, Sources: []string{"D Q129457"}},
		{ID: "anonymous-lists-sids", Title: "A stranger translates or lists SIDs", Kind: "scan", Identity: "anonymous", Discloses: "sids", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "Counting through SIDs gives every account name, one at a time.", Fix: Advice{"ksmbd": {
			{Say: "restrict anonymous = 1."},
		}, "samba": {
			{Say: "restrict anonymous = 2; 1 does not close it."},
		}, "windows": {
			{Scope: Scope{Until: "win2000"}, Say: "This release translates single names for anonymous callers whatever is set, and opens lsarpc to them. Keep strangers off its ports."},
			{Scope: Scope{Until: "winxp"}, Say: "Anonymous SID/Name translation off, no lsarpc in NullSessionPipes."},
			{Say: "Anonymous SID/Name translation off, TurnOffAnonymousBlock 0, no lsarpc in NullSessionPipes."},
		}}, Settings: []string{"LSAAnonymousNameLookup", "TurnOffAnonymousBlock", "RestrictAnonymous", "NullSessionPipes", "restrict anonymous", "ksmbd:restrict anonymous"}, Pipes: []string{"lsarpc"}, Refs: []string{"Nessus 10859", "Nessus 56210", "ATT&CK T1087.002"}, Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation", "D MS-LSAD 3.1.4.4.1", "3 nessus"}},
		{ID: "anonymous-lists-trusts", Title: "A stranger lists trusted domains", Kind: "scan", Identity: "anonymous", Discloses: "trusts", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "medium"},
			{Level: "low"},
		}, Meaning: "A map of where to go next.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Say: "Close lsarpc and netlogon to strangers where the role allows."},
		}}, Settings: []string{"TurnOffAnonymousBlock", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"lsarpc", "netlogon"}, Refs: []string{"ATT&CK T1482"}, Sources: []string{"D MS-LSAD 3.1.4"}},
		{ID: "anonymous-lists-shares", Title: "A stranger lists shares", Kind: "scan", Identity: "anonymous", Discloses: "shares", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Shows what there is to read, hidden shares included.", Fix: Advice{"ksmbd": {
			{Say: "restrict anonymous = 1."},
		}, "samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Scope: Scope{Until: "win2000"}, Say: "RestrictAnonymous = 1. This release opens srvsvc to anonymous callers whatever the list of pipes says."},
			{Say: "RestrictAnonymous = 1 and no srvsvc in NullSessionPipes."},
		}}, Settings: []string{"RestrictAnonymous", "NullSessionPipes", "restrict anonymous", "ksmbd:restrict anonymous"}, Pipes: []string{"srvsvc"}, Refs: []string{"CVE-1999-0520", "Nessus 10395", "ATT&CK T1135"}, Sources: []string{"D Q143474", "3 nessus"}},
		{ID: "anonymous-reads-files", Title: "A stranger opens a disk share", Kind: "scan", Identity: "anonymous", Discloses: "files", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "Files are readable without credentials.", Fix: Advice{"ksmbd": {
			{Say: "guest ok = no on the share."},
		}, "samba": {
			{Say: "guest ok = no and guest only = no on the share."},
		}, "windows": {
			{Say: "Empty NullSessionShares, RestrictNullSessAccess = 1."},
		}}, Settings: []string{"NullSessionShares", "RestrictNullSessAccess", "guest ok", "ksmbd:guest ok"}, Pipes: []string{}, Refs: []string{"Nessus 42411"}, Sources: []string{"D SPS network-access-shares-that-can-be-accessed-anonymously", "3 nessus"}},
		{ID: "anonymous-lists-sessions", Title: "A stranger lists sessions or signed-in users", Kind: "scan", Identity: "anonymous", Discloses: "sessions", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Shows where administrators are signed in.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Say: "Close srvsvc and wkssvc to strangers."},
		}}, Settings: []string{"SrvsvcSessionInfo", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"srvsvc", "wkssvc"}, Refs: []string{"ATT&CK T1049", "ATT&CK T1033"}, Sources: []string{"3 netcease"}},
		{ID: "anonymous-lists-services", Title: "A stranger lists services", Kind: "scan", Identity: "anonymous", Discloses: "services", Severity: []Grade{
			{Scope: Scope{Products: []string{"samba", "ksmbd"}}, Level: "medium"},
			{Level: "high"},
		}, Meaning: "Shows what runs and so what can be attacked.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Say: "No svcctl in NullSessionPipes."},
		}}, Settings: []string{"NullSessionPipes", "restrict anonymous"}, Pipes: []string{"svcctl"}, Refs: []string{"ATT&CK T1007"}, Sources: []string{"D MS-SCMR 3.1.4", "M samba-4.17.12"}},
		{ID: "anonymous-reads-registry", Title: "A stranger opens the registry", Kind: "scan", Identity: "anonymous", Discloses: "registry", Severity: []Grade{
			{Scope: Scope{Products: []string{"samba", "ksmbd"}}, Level: "medium"},
			{Level: "high"},
		}, Meaning: "Configuration, and on Windows sometimes secrets, can be read.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2; 1 does not close it."},
		}, "windows": {
			{Say: "No winreg in NullSessionPipes."},
		}}, Settings: []string{"NullSessionPipes", "AllowedExactPaths", "RemoteRegistry.Start", "restrict anonymous"}, Pipes: []string{"winreg"}, Refs: []string{"ATT&CK T1012"}, Sources: []string{"D MS-RRP 3.1.5", "M samba-4.17.12"}},
		{ID: "anonymous-lists-printers", Title: "A stranger lists printers", Kind: "scan", Identity: "anonymous", Discloses: "printers", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "Names and places of printers; the spooler behind it has a history of holes.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Say: "No spoolss in NullSessionPipes, spooler off where nothing prints."},
		}}, Settings: []string{"NullSessionPipes", "Spooler.Start", "RpcProtocols", "restrict anonymous"}, Pipes: []string{"spoolss"}, Sources: []string{"D MS-RPRN 3.1.4"}},
		{ID: "anonymous-lists-jobs", Title: "A stranger lists scheduled jobs", Kind: "scan", Identity: "anonymous", Discloses: "jobs", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Shows what runs when, and under which account.", Fix: Advice{"any": {
			{Say: "No atsvc in NullSessionPipes."},
		}}, Settings: []string{"NullSessionPipes"}, Pipes: []string{"atsvc"}, Refs: []string{"ATT&CK T1053.002"}, Sources: []string{"D MS-TSCH 3.2.5"}},
		{ID: "anonymous-reads-logs", Title: "A stranger opens event logs", Kind: "scan", Identity: "anonymous", Discloses: "logs", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Logs tell who signs in from where.", Fix: Advice{"any": {
			{Say: "No eventlog in NullSessionPipes."},
		}}, Settings: []string{"NullSessionPipes", "restrict anonymous"}, Pipes: []string{"eventlog"}, Sources: []string{"D MS-EVEN 3.1.4"}},
		{ID: "anonymous-reads-dfs", Title: "A stranger asks the file system namespace", Kind: "scan", Identity: "anonymous", Discloses: "dfs", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "Names of other file servers.", Fix: Advice{"samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Say: "Close netdfs to strangers."},
		}}, Settings: []string{"NullSessionPipes", "restrict anonymous"}, Pipes: []string{"netdfs"}, Sources: []string{"D MS-DFSNM 3.1.4"}},
		{ID: "guest-lists-accounts", Title: "A guest lists accounts", Kind: "scan", Identity: "guest", Discloses: "accounts", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "critical"},
			{Level: "high"},
		}, Meaning: "Names to try passwords against, disabled and service accounts included.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: RestrictAnonymousSAM = 1 and no samr in NullSessionPipes; on a domain controller take Everyone and Anonymous Logon out of Pre-Windows 2000 Compatible Access."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "RestrictAnonymousSAM", "RestrictAnonymous", "PreWindows2000Members", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"samr"}, Refs: []string{"CVE-1999-0520", "ATT&CK T1087.001"}, Sources: []string{"D Q143474", "D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts", "3 nessus"}},
		{ID: "guest-lists-groups", Title: "A guest lists groups", Kind: "scan", Identity: "guest", Discloses: "groups", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "Shows who the administrators are.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then, as for accounts, close samr to strangers."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "RestrictAnonymousSAM", "RestrictAnonymous", "PreWindows2000Members", "restrict anonymous"}, Pipes: []string{"samr"}, Refs: []string{"ATT&CK T1069.001"}, Sources: []string{"D MS-SAMR 3.1.5"}},
		{ID: "guest-reads-password-policy", Title: "A guest reads the password policy", Kind: "scan", Identity: "guest", Discloses: "password-policy", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Tells how many wrong passwords go unpunished and how short a password may be.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then close samr to strangers."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "RestrictAnonymous", "RestrictAnonymousSAM", "restrict anonymous"}, Pipes: []string{"samr"}, Refs: []string{"ATT&CK T1201"}, Sources: []string{"D Q129457"}},
		{ID: "guest-lists-sids", Title: "A guest translates or lists SIDs", Kind: "scan", Identity: "guest", Discloses: "sids", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "Counting through SIDs gives every account name, one at a time.", Fix: Advice{"ksmbd": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 1."},
		}, "samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2; 1 does not close it."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: anonymous SID/Name translation off, TurnOffAnonymousBlock 0, no lsarpc in NullSessionPipes."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "LSAAnonymousNameLookup", "TurnOffAnonymousBlock", "RestrictAnonymous", "NullSessionPipes", "restrict anonymous", "ksmbd:map to guest", "ksmbd:restrict anonymous"}, Pipes: []string{"lsarpc"}, Refs: []string{"Nessus 10859", "Nessus 56210", "ATT&CK T1087.002"}, Sources: []string{"D SPS network-access-allow-anonymous-sidname-translation", "D MS-LSAD 3.1.4.4.1", "3 nessus"}},
		{ID: "guest-lists-trusts", Title: "A guest lists trusted domains", Kind: "scan", Identity: "guest", Discloses: "trusts", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "medium"},
			{Level: "low"},
		}, Meaning: "A map of where to go next.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then close lsarpc and netlogon to strangers where the role allows."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "TurnOffAnonymousBlock", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"lsarpc", "netlogon"}, Refs: []string{"ATT&CK T1482"}, Sources: []string{"D MS-LSAD 3.1.4"}},
		{ID: "guest-lists-shares", Title: "A guest lists shares", Kind: "scan", Identity: "guest", Discloses: "shares", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Shows what there is to read, hidden shares included.", Fix: Advice{"ksmbd": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 1."},
		}, "samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: RestrictAnonymous = 1 and no srvsvc in NullSessionPipes."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "RestrictAnonymous", "NullSessionPipes", "restrict anonymous", "ksmbd:map to guest", "ksmbd:restrict anonymous"}, Pipes: []string{"srvsvc"}, Refs: []string{"CVE-1999-0520", "Nessus 10395", "ATT&CK T1135"}, Sources: []string{"D Q143474", "3 nessus"}},
		{ID: "guest-reads-files", Title: "A guest opens a disk share", Kind: "scan", Identity: "guest", Discloses: "files", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "Files are readable without credentials.", Fix: Advice{"ksmbd": {
			{Say: "Set map to guest = never first. Then: guest ok = no on the share."},
		}, "samba": {
			{Say: "Set map to guest = never first. Then: guest ok = no and guest only = no on the share."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: empty NullSessionShares, RestrictNullSessAccess = 1."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "NullSessionShares", "RestrictNullSessAccess", "guest ok", "ksmbd:map to guest", "ksmbd:guest ok"}, Pipes: []string{}, Refs: []string{"Nessus 42411"}, Sources: []string{"D SPS network-access-shares-that-can-be-accessed-anonymously", "3 nessus"}},
		{ID: "guest-lists-sessions", Title: "A guest lists sessions or signed-in users", Kind: "scan", Identity: "guest", Discloses: "sessions", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Shows where administrators are signed in.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then close srvsvc and wkssvc to strangers."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "SrvsvcSessionInfo", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"srvsvc", "wkssvc"}, Refs: []string{"ATT&CK T1049", "ATT&CK T1033"}, Sources: []string{"3 netcease"}},
		{ID: "guest-lists-services", Title: "A guest lists services", Kind: "scan", Identity: "guest", Discloses: "services", Severity: []Grade{
			{Scope: Scope{Products: []string{"samba", "ksmbd"}}, Level: "medium"},
			{Level: "high"},
		}, Meaning: "Shows what runs and so what can be attacked.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: no svcctl in NullSessionPipes."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"svcctl"}, Refs: []string{"ATT&CK T1007"}, Sources: []string{"D MS-SCMR 3.1.4", "M samba-4.17.12"}},
		{ID: "guest-reads-registry", Title: "A guest opens the registry", Kind: "scan", Identity: "guest", Discloses: "registry", Severity: []Grade{
			{Scope: Scope{Products: []string{"samba", "ksmbd"}}, Level: "medium"},
			{Level: "high"},
		}, Meaning: "Configuration, and on Windows sometimes secrets, can be read.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2; 1 does not close it."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: no winreg in NullSessionPipes."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "NullSessionPipes", "AllowedExactPaths", "RemoteRegistry.Start", "restrict anonymous"}, Pipes: []string{"winreg"}, Refs: []string{"ATT&CK T1012"}, Sources: []string{"D MS-RRP 3.1.5", "M samba-4.17.12"}},
		{ID: "guest-lists-printers", Title: "A guest lists printers", Kind: "scan", Identity: "guest", Discloses: "printers", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "Names and places of printers; the spooler behind it has a history of holes.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: no spoolss in NullSessionPipes, spooler off where nothing prints."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "NullSessionPipes", "Spooler.Start", "RpcProtocols", "restrict anonymous"}, Pipes: []string{"spoolss"}, Sources: []string{"D MS-RPRN 3.1.4"}},
		{ID: "guest-lists-jobs", Title: "A guest lists scheduled jobs", Kind: "scan", Identity: "guest", Discloses: "jobs", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Shows what runs when, and under which account.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: no atsvc in NullSessionPipes."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "NullSessionPipes"}, Pipes: []string{"atsvc"}, Refs: []string{"ATT&CK T1053.002"}, Sources: []string{"D MS-TSCH 3.2.5"}},
		{ID: "guest-reads-logs", Title: "A guest opens event logs", Kind: "scan", Identity: "guest", Discloses: "logs", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Logs tell who signs in from where.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first."},
		}, "windows": {
			{Say: "Disable the guest account first. Then: no eventlog in NullSessionPipes."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"eventlog"}, Sources: []string{"D MS-EVEN 3.1.4"}},
		{ID: "guest-reads-dfs", Title: "A guest asks the file system namespace", Kind: "scan", Identity: "guest", Discloses: "dfs", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "Names of other file servers.", Fix: Advice{"samba": {
			{Say: "Set map to guest = never first. Then: restrict anonymous = 2."},
		}, "windows": {
			{Say: "Disable the guest account first. Then close netdfs to strangers."},
		}}, Settings: []string{"EnableGuestAccount", "map to guest", "NullSessionPipes", "restrict anonymous"}, Pipes: []string{"netdfs"}, Sources: []string{"D MS-DFSNM 3.1.4"}},
		{ID: "null-session-accepted", Title: "Null sessions are accepted", Kind: "scan", Identity: "anonymous", Severity: []Grade{
			{Level: "info"},
		}, Meaning: "A stranger comes in. That alone gives nothing away and is normal on every release; look at the other findings.", Fix: Advice{"ksmbd": {
			{Say: "Nothing to fix by itself: ksmbd lets every null session in. What it then reaches is for restrict anonymous = 1 and guest ok = no."},
		}, "samba": {
			{Say: "Nothing to fix by itself. To refuse the session altogether, require encryption: server smb encrypt = required."},
		}, "windows": {
			{Say: "Nothing to fix by itself. To refuse the session altogether, leave no pipe and no share marked for anonymous callers."},
		}}, Settings: []string{"NullSessionPipes", "NullSessionShares", "restrict anonymous", "server smb encrypt", "ksmbd:restrict anonymous"}, Refs: []string{"CVE-1999-0519", "Nessus 26920"}, Sources: []string{"D KB3034016", "D ms-blog"}},
		{ID: "guest-session-accepted", Title: "Guests are let in", Kind: "scan", Identity: "guest", Severity: []Grade{
			{Level: "low"},
		}, Meaning: "A caller without valid credentials gets a session that the server calls guest.", Fix: Advice{"ksmbd": {
			{Say: "map to guest = never."},
		}, "samba": {
			{Say: "map to guest = never."},
		}, "windows": {
			{Say: "Disable the guest account."},
		}}, Settings: []string{"EnableGuestAccount", "ForceGuest", "map to guest", "ksmbd:map to guest"}, Sources: []string{"D SPS accounts-guest-account-status", "S samba"}},
		{ID: "unknown-user-becomes-guest", Title: "A made-up name is let in as guest", Kind: "scan", Identity: "unknown-user", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Any name works. Credentials prove nothing here, and scanners that try passwords see every one succeed.", Fix: Advice{"ksmbd": {
			{Say: "map to guest = never."},
		}, "samba": {
			{Say: "map to guest = never."},
		}, "windows": {
			{Say: "Disable the guest account."},
		}}, Settings: []string{"EnableGuestAccount", "ForceGuest", "map to guest", "ksmbd:map to guest"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "unknown-user-accepted", Title: "A made-up name is let in as a user", Kind: "scan", Identity: "unknown-user", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "The server took a name that does not exist and did not say guest. It may hide the guest flag, or check nobody.", Fix: Advice{"any": {
			{Say: "Find out which account such a session gets; refuse failed logons."},
		}}, Settings: []string{"EnableGuestAccount", "ForceGuest", "map to guest"}, Sources: []string{"I ours"}},
		{ID: "smb1-enabled", Title: "SMB1 is on", Kind: "scan", Severity: []Grade{
			{Scope: Scope{Until: "win2003r2"}, Level: "info"},
			{Level: "medium"},
		}, Meaning: "The oldest dialect has no protection against tampering and was the way in for worms. It does not decide about null sessions.", Fix: Advice{"samba": {
			{Say: "server min protocol = SMB2_02, and no server max protocol below SMB2: with NT1 there everybody would be refused."},
		}, "windows": {
			{Scope: Scope{Until: "win2003r2"}, Say: "SMB1 is all that this release speaks: it cannot be taken off. Retire the host, or let only those reach it who need it."},
			{Say: "Remove the feature or set SMB1 to 0 and restart."},
		}}, Settings: []string{"SMB1", "srv.Start", "server min protocol"}, Refs: []string{"Nessus 96982", "Nessus 97086", "ATT&CK T1210"}, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows", "3 nessus"}},
		{ID: "signing-not-required", Title: "Signing is not required", Kind: "scan", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "A logon on its way to this server can be relayed into it. Strangers are exempt from signing anyway.", Fix: Advice{"ksmbd": {
			{Say: "server signing = mandatory."},
		}, "samba": {
			{Say: "server signing = mandatory."},
		}, "windows": {
			{Say: "RequireSecuritySignature = 1."},
		}}, Settings: []string{"RequireSecuritySignature", "server signing", "ksmbd:server signing"}, Refs: []string{"Nessus 57608", "ATT&CK T1557.001"}, Sources: []string{"D WSD smb-signing", "3 nessus"}},
		{ID: "ntlmv1-accepted", Title: "A logon with an NTLMv1 answer succeeds", Kind: "scan", Severity: []Grade{
			{Level: "high"},
		}, Meaning: "Whoever sees such an answer, or makes a client send one, computes the hash of the password from it. It was tried with the account that was given; those of other domains are judged by their domain controllers.", Fix: Advice{"samba": {
			{Say: "ntlm auth = ntlmv2-only where the account is kept: on this host, or on the domain controllers."},
		}, "windows": {
			{Say: "LmCompatibilityLevel = 5 where the account is kept: on this host, or on the domain controllers."},
		}}, Settings: []string{"LmCompatibilityLevel", "ntlm auth"}, Refs: []string{"ATT&CK T1557.001", "ATT&CK T1110.002"}, Sources: []string{"D MS-NLMP", "D SPS network-security-lan-manager-authentication-level"}},
		{ID: "unsigned-request-accepted", Title: "An unsigned request of a user is served", Kind: "scan", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "Somebody on the way can change what users ask and read, and a logon relayed to this server is of use.", Fix: Advice{"ksmbd": {
			{Say: "server signing = mandatory."},
		}, "samba": {
			{Say: "server signing = mandatory."},
		}, "windows": {
			{Say: "RequireSecuritySignature = 1."},
		}}, Settings: []string{"RequireSecuritySignature", "server signing", "ksmbd:server signing"}, Refs: []string{"ATT&CK T1557.001"}, Sources: []string{"D WSD smb-signing"}},
		{ID: "clear-text-accepted", Title: "The server wants encryption and serves clear text", Kind: "scan", Severity: []Grade{
			{Level: "medium"},
		}, Meaning: "Encryption is switched on, and who does not encrypt is served all the same, so that somebody on the way can read along.", Fix: Advice{"samba": {
			{Say: "server smb encrypt = required."},
		}, "windows": {
			{Say: "RejectUnencryptedAccess = 1 beside EncryptData."},
		}}, Settings: []string{"RejectUnencryptedAccess", "server smb encrypt"}, Refs: []string{"ATT&CK T1040"}, Sources: []string{"D MS-SMB2 3.3.1.5"}},
		{ID: "coercion-interface-open", Title: "A stranger reaches an interface that can be made to log on elsewhere", Kind: "scan", Identity: "anonymous", Severity: []Grade{
			{Scope: Scope{Roles: []model.Role{"domain-controller"}}, Level: "high"},
			{Level: "medium"},
		}, Meaning: "The bind was accepted; no call was sent. Calls behind it are known to make servers authenticate to others.", Fix: Advice{"ksmbd": {
			{Say: "restrict anonymous = 1."},
		}, "samba": {
			{Say: "restrict anonymous = 2."},
		}, "windows": {
			{Say: "Close the pipe to strangers and install current updates."},
		}}, Settings: []string{"NullSessionPipes", "restrict anonymous", "ksmbd:restrict anonymous"}, Pipes: []string{"efsrpc", "lsarpc", "samr", "netlogon", "lsass", "spoolss"}, Refs: []string{"ATT&CK T1187", "CVE-2022-26925"}, Sources: []string{"D MS-EFSR 3.1.4", "3 coercer"}},
	},
	Claims: []Claim{
		{ID: "autoshare-removes-ipc", Claim: "AutoShareServer or AutoShareWks set to 0 removes IPC$", Verdict: "false", Why: "They stop Windows from making the drive shares and ADMIN$. Microsoft's own article says in as many words that IPC$ is not among them. It is also not made unreachable.", Against: "One article about NT 4.0 (Q245117) lists IPC$ among the shares that may not be displayed then.", Settings: []string{"AutoShareServer", "AutoShareWks"}, Aliases: []string{"AutoShareServer removes IPC$", "AutoShareWks removes IPC$", "AutoShareServer = 0 removes IPC$", "disable admin shares closes IPC$"}, Sources: []string{"D KB954422", "D Q245117"}},
		{ID: "autoshare-breaks", Claim: "Setting AutoShareServer to 0 removes all default shares and breaks services", Verdict: "partly", Why: "It removes the drive shares and ADMIN$, and remote installers and old tools do break. Shares such as print$, NETLOGON and SYSVOL are made by other parts of the system; that they stay is not spelt out in a document read here.", Settings: []string{"AutoShareServer", "AutoShareWks"}, Services: []string{"sms_1x_2x"}, Aliases: []string{"AutoShareServer removes all default shares"}, Sources: []string{"D KB842715", "D Q172767", "D Q219017"}},
		{ID: "net-share-delete", Claim: "net share ipc$ /delete gets rid of IPC$", Verdict: "partly", Why: "The protocol has a way to delete it, while Microsoft's article says it cannot be deleted. Where it worked the share came back at the next start of the Server service. Unsupported, and not offered here.", Against: "KB954422 says that IPC$ cannot be deleted.", Settings: []string{"LanmanServer.Start"}, Aliases: []string{"delete IPC$", "remove IPC$", "net share ipc$ /delete"}, Sources: []string{"D MS-SRVS 3.1.4.14", "D KB954422", "3 virusinfo"}},
		{ID: "ra0-default", Claim: "RestrictAnonymous 0 means no restriction and is the default", Verdict: "true", Why: "On every release it is 0 or absent by default. Other settings still hold back account lists since XP.", Settings: []string{"RestrictAnonymous", "RestrictAnonymousSAM"}, Sources: []string{"D Q143474", "D cc963223", "D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares"}},
		{ID: "ra1-no-listing", Claim: "RestrictAnonymous 1 keeps strangers from listing accounts and shares", Verdict: "true", Why: "It does, but IPC$ still connects and single names and SIDs can still be translated where that is allowed. On domain controllers since XP it does nothing.", Settings: []string{"RestrictAnonymous", "LSAAnonymousNameLookup"}, Sources: []string{"D Q143474", "D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares"}},
		{ID: "ra2-closes-ipc", Claim: "RestrictAnonymous 2 keeps strangers from connecting to IPC$", Verdict: "partly", Why: "On Windows 2000 alone. NT 4.0 has no such value, and from XP and Server 2003 on IPC$ connects all the same; there each pipe is closed by itself.", Settings: []string{"RestrictAnonymous", "NullSessionPipes"}, Aliases: []string{"RestrictAnonymous=2 blocks null sessions", "RestrictAnonymous 2 closes IPC$"}, Sources: []string{"D cc963223", "D KB3034016"}},
		{ID: "rasam-default", Claim: "RestrictAnonymousSAM is 1 by default", Verdict: "true", Why: "Since XP and Server 2003, in every role.", Settings: []string{"RestrictAnonymousSAM"}, Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts", "D jj852230", "M hives"}},
		{ID: "rasam0-restricts", Claim: "RestrictAnonymousSAM 0 keeps strangers from listing users and from using pipes", Verdict: "false", Why: "It is the other way round: 1 restricts, 0 allows. And it never decides who may open a pipe.", Settings: []string{"RestrictAnonymousSAM"}, Aliases: []string{"RestrictAnonymousSAM = 0 restricts"}, Sources: []string{"D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts"}},
		{ID: "sql-needs-pipes", Claim: "SQL Server needs named pipes", Verdict: "partly", Why: "It was so for SQL Server 7 and 2000 and for their clusters. Today TCP is the default and named pipes are off for the network on new installations. A login over the pipe is authenticated: restricting strangers does not break it, blocking IPC$ does.", Settings: []string{"NullSessionPipes", "LanmanServer.Start"}, Services: []string{"sqlserver_default", "sqlserver_named", "sqlserver_2000_cluster"}, Aliases: []string{"SQL Server requires IPC$", "sql server breaks without IPC$"}, Sources: []string{"D sql-docs", "D KB831127", "D Q166196"}},
		{ID: "oracle-no-pipes", Claim: "Oracle does not need named pipes", Verdict: "partly", Why: "Its listeners use TCP and local channels in the reference read here. A named-pipe adapter for Windows exists, so look at the host instead of assuming.", Services: []string{"oracle"}, Aliases: []string{"Oracle needs IPC$"}, Sources: []string{"D oracle"}},
		{ID: "restrict-beats-block", Claim: "Restricting IPC$ is better than blocking it", Verdict: "true", Why: "Microsoft controls single pipes and not the share, and the list of what stops when IPC$ goes is long. Restricting keeps out those who prove nothing and keeps in those who do.", Settings: []string{"NullSessionPipes", "RestrictAnonymous"}, Sources: []string{"D KB3034016"}},
		{ID: "rrc-protects-ipc", Claim: "RestrictRemoteClients protects IPC$", Verdict: "false", Why: "Microsoft's own pages exempt named pipes from it at every value. One specification says that 2 covers them; nothing here counts on it.", Against: "[MS-RPCE] 3.1.1.1.3 refuses every call without RPC authentication at 2, whatever the transport.", Settings: []string{"RestrictRemoteClients"}, Aliases: []string{"RestrictRemoteClients 1 protects IPC$", "RestrictRemoteClients 2 protects IPC$", "RPC over named pipes RestrictRemoteClients"}, Sources: []string{"D win32 rpc-interface-restrict", "D cc781010", "D aa995844", "M impacket 2166", "D MS-RPCE 3.1.1.1.3"}},
		{ID: "smb1-off-ends-null", Claim: "Switching SMB1 off ends null sessions", Verdict: "false", Why: "SMB2 and SMB3 have null sessions too, and the rule for pipes is the same in all of them.", Settings: []string{"SMB1", "NullSessionPipes"}, Sources: []string{"D MS-SMB2 3.3.5.9", "D MS-CIFS 3.3.5.35", "M samba-4.17.12"}},
		{ID: "signing-ends-null", Claim: "Required signing ends null sessions", Verdict: "false", Why: "Anonymous and guest sessions are exempt from it by the specification, and Samba does the same.", Settings: []string{"RequireSecuritySignature", "server signing"}, Aliases: []string{"does SMB signing stop null sessions", "signing stops null sessions"}, Sources: []string{"D MS-SMB2 3.3.5.5.3", "M samba-4.17.12"}},
		{ID: "connect-is-exposure", Claim: "A null session to IPC$ that connects is a vulnerability", Verdict: "false", Why: "Connecting is normal on every release. Only a call that returns data gives something away; Microsoft has written about penetration tests that stop at the connection.", Aliases: []string{"null session vulnerability", "CVE-1999-0519"}, Sources: []string{"D ms-blog", "D KB3034016"}},
		{ID: "everyone-anonymous-one", Claim: "EveryoneIncludesAnonymous should be 1", Verdict: "false", Why: "At 1 strangers hold every right of Everyone. A published test profile (dev-sec windows-090) asks for 1 under a title that says disabled: a mistake in the profile.", Settings: []string{"EveryoneIncludesAnonymous"}, Aliases: []string{"dev-sec windows-090", "windows-090"}, Sources: []string{"M dev-sec", "D SPS network-access-let-everyone-permissions-apply-to-anonymous-users"}},
		{ID: "block-is-smb1-turnoff", Claim: "TurnOffAnonymousBlock set to 1 blocks anonymous callers", Verdict: "false", Why: "Its name is to be read literally: any value but 0 turns the block off.", Settings: []string{"TurnOffAnonymousBlock"}, Sources: []string{"D MS-LSAD 3.1.1.6.1"}},
		{ID: "samba-guest-ok-no", Claim: "guest ok = no in [IPC$] keeps strangers out of Samba", Verdict: "false", Why: "Samba overwrites the line. What works is restrict anonymous = 2, invalid users = nobody in [IPC$], or hosts allow there.", Settings: []string{"IPC$:guest ok", "restrict anonymous", "IPC$:invalid users"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "samba-ra2-guest-share", Claim: "A share with guest ok undoes restrict anonymous = 2", Verdict: "partly", Why: "The manual says so. Measured, IPC$ and its pipes stay closed, and that one share is readable.", Settings: []string{"restrict anonymous", "guest ok"}, Sources: []string{"S samba", "M samba-4.17.12"}},
		{ID: "samba-ra1-closes", Claim: "restrict anonymous = 1 closes Samba to strangers", Verdict: "partly", Why: "Accounts and shares go; SIDs, names, registry, services, printers and more stay. On a domain controller accounts stay as well.", Settings: []string{"restrict anonymous"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "nullsessionpipes-order", Claim: "NullSessionPipes has to be in a certain order", Verdict: "false", Why: "It is a set of names without regard to case. A tool that compares it as text fails good lists and, with a loose pattern, passes bad ones.", Settings: []string{"NullSessionPipes"}, Sources: []string{"D MS-SRVS 3.1.6.17", "M HK 2.3.10.6", "M wazuh 36549"}},
		{ID: "only-earlier-systems", Claim: "The above is only for earlier systems", Verdict: "partly", Why: "RestrictAnonymous 2 counts on Windows 2000 alone, and 0 and 1 count on every release but domain controllers since Server 2003. AutoShareServer and AutoShareWks count on every release up to today. The pipe lists count on every release, too.", Settings: []string{"RestrictAnonymous", "AutoShareServer", "NullSessionPipes"}, Aliases: []string{"the above is only for earlier systems", "only for earlier systems", "RestrictAnonymous is only for old systems"}, Sources: []string{"D KB3034016", "D KB954422", "D SPS network-access-do-not-allow-anonymous-enumeration-of-sam-accounts-and-shares"}},
		{ID: "ra2-not-recommended", Claim: "RestrictAnonymous 2 is generally not recommended", Verdict: "true", Why: "Microsoft asks for it in networks of Windows 2000 alone, never in mixed mode and not on domain controllers: trusts, backup controllers and licence servers stop. On any other release it does nothing that 1 does not do.", Settings: []string{"RestrictAnonymous"}, Aliases: []string{"2 is generally not recommended", "RestrictAnonymous 2 not recommended", "is RestrictAnonymous 2 recommended"}, Sources: []string{"D cc963223", "D Q296405", "D Q293127", "3 MBSA"}},
		{ID: "sql-set-one", Claim: "With SQL Server set RestrictAnonymous to 1, not 2", Verdict: "partly", Why: "1 is the right value on every release, with and without SQL Server. 2 took IPC$ from strangers on Windows 2000, and with it services that came without credentials; a login of SQL Server over its pipe is authenticated, so that it is no reason of its own. No document of SQL Server's says it.", Settings: []string{"RestrictAnonymous"}, Services: []string{"sqlserver_default"}, Aliases: []string{"with SQL Server set 1", "with SQL Server set RestrictAnonymous 1", "SQL Server RestrictAnonymous 1"}, Sources: []string{"D cc963223", "D sql-docs"}},
		{ID: "all-default-shares-go", Claim: "With IPC$ gone all other default shares go too", Verdict: "partly", Why: "True where the Server service is disabled or ports 139 and 445 are blocked: C$, ADMIN$, print$ and, on a domain controller, SYSVOL and NETLOGON go with it, and every share that somebody made. Not true of a pipe firewall or of restricting strangers: disk shares stay.", Settings: []string{"LanmanServer.Start", "AutoShareServer"}, Aliases: []string{"all other default shares go too", "blocking IPC$ removes all default shares"}, Sources: []string{"D KB3034016", "D KB954422", "3 smallvoid"}},
	},
	Topics: []Note{
		{ID: "PetitPotam", Title: "Making a server log on elsewhere through its file encryption service", Aliases: []string{"petit potam", "MS-EFSRPC", "CVE-2021-36942"}, Text: []string{"A caller opens lsarpc or efsrpc and asks the server to open a file on another machine; the server logs on there, and the logon is relayed. Early domain controllers let a stranger do it, since lsarpc stands in NullSessionPipes there.", "Restricting strangers takes the unauthenticated form; updates and required signing on the target of the relay take the rest. This program never makes such a call."}, Related: []string{"coercion", "efsrpc", "NullSessionPipes", "RequireSecuritySignature", "NTLM relay"}, Sources: []string{"D MS-EFSR 2.1", "3 coercer"}},
		{ID: "PrintNightmare", Title: "Running code through the print spooler", Aliases: []string{"CVE-2021-34527", "CVE-2021-1675", "printer bug", "SpoolSample", "PrinterBug", "print nightmare"}, Text: []string{"A signed-in user makes the spooler load a driver (CVE-2021-34527), or makes the server log on elsewhere (the printer bug); both come through the pipe spoolss. Restricting strangers does not stop a signed-in user.", "Updates first. Where nothing prints, switch the spooler off (Spooler.Start = 4): that takes the pipe. RpcProtocols and RpcAuthnLevelPrivacyEnabled keep printing off the pipe."}, Related: []string{"spoolss", "Spooler.Start", "RpcAuthnLevelPrivacyEnabled", "RpcProtocols", "coercion"}, Sources: []string{"D MS-RPRN 2.1", "D KB4599464", "3 coercer"}},
		{ID: "EternalBlue", Title: "The worm hole in SMB1", Aliases: []string{"MS17-010", "CVE-2017-0144", "WannaCry", "eternal blue", "NotPetya"}, Text: []string{"Malformed SMB1 messages ran code without credentials; a null session to IPC$ was enough to get there. It needs SMB1 and a host without the updates of March 2017.", "Install them, and switch SMB1 off: SMB1 = 0. Closing IPC$ to strangers alone does not close it."}, Related: []string{"SMB1", "srv.Start", "smb1-off-ends-null"}, Sources: []string{"K cve", "D WSD smbv1-not-installed-by-default-in-windows"}},
		{ID: "SambaCry", Title: "A library loaded through a pipe's name", Aliases: []string{"CVE-2017-7494", "samba cry"}, Text: []string{"Samba 3.5 to 4.6.3 took a pipe's name for a path and loaded a library that somebody had put on a writable share. It needs a share that the caller may write to, and IPC$.", "Update Samba. nt pipe support = no was the way round it, and takes every pipe from everybody; restrict anonymous = 2 keeps strangers off IPC$."}, Related: []string{"nt pipe support", "restrict anonymous", "guest ok"}, Sources: []string{"K cve", "S samba"}},
		{ID: "Zerologon", Title: "Taking a domain controller through Netlogon", Aliases: []string{"CVE-2020-1472", "zero logon"}, Text: []string{"An empty answer passes Netlogon's check once in 256 tries, over the netlogon pipe or TCP, without credentials. Closing the pipe to strangers leaves TCP.", "Updates of 2020 and the enforcement since 2021 close it on Windows; on Samba server schannel = yes, the default, does."}, Related: []string{"netlogon", "server schannel", "NullSessionPipes"}, Sources: []string{"K cve", "S samba"}},
		{ID: "coercion", Title: "Making a server log on elsewhere", Aliases: []string{"coerced authentication", "authentication coercion", "coercer", "DFSCoerce", "ShadowCoerce", "forced authentication"}, Text: []string{"Calls such as those of the spooler, file encryption, DFS and shadow copies make the server connect to a name that the caller chooses, with the machine's account. They travel over pipes; most need a signed-in user.", "Close the pipes to strangers, switch off what is not used, and make relaying useless: required signing, and name checks on what is relayed to. This program never sends such calls."}, Related: []string{"PetitPotam", "PrintNightmare", "NTLM relay", "RequireSecuritySignature"}, Sources: []string{"3 coercer", "D MS-EFSR 2.1"}},
		{ID: "NTLM relay", Title: "Passing a logon on to another server", Aliases: []string{"smb relay", "relay attack", "relay", "ntlmrelayx", "ntlm relay attack", "relaying", "KB5005413"}, Text: []string{"An attacker in the middle hands a victim's logon to a server that does not require signing, and acts there as the victim. Null sessions have nothing to relay.", "Require signing on servers (RequireSecuritySignature = 1, server signing = mandatory); SmbServerNameHardeningLevel refuses logons that were meant for another name."}, Related: []string{"RequireSecuritySignature", "server signing", "SmbServerNameHardeningLevel", "signing-not-required"}, Sources: []string{"D WSD smb-signing"}},
		{ID: "session enumeration", Title: "Who is logged on where", Aliases: []string{"BloodHound session enumeration", "NetSessionEnum", "netsessionenum access denied", "SharpHound", "BloodHound", "session enumeration"}, Text: []string{"BloodHound asks NetSessionEnum over the pipe srvsvc to learn who is connected from where. Since Windows 10 1709 an ordinary user is refused: access denied is the default there, not a fault.", "On older releases the descriptor SrvsvcSessionInfo decides (NetCease). Strangers are kept off by NullSessionPipes, not by it."}, Related: []string{"SrvsvcSessionInfo", "srvsvc", "NullSessionPipes"}, Sources: []string{"M hives", "3 netcease"}},
		{ID: "pass the hash", Title: "Signing in with a stolen hash", Aliases: []string{"pass-the-hash", "psexec", "wmiexec", "remote service"}, Text: []string{"It is a signed-in administrator to the server: psexec copies to ADMIN$ and starts a service over svcctl. Restricting strangers does not stop it; blocking IPC$ stops psexec and everything else that manages the host."}, Related: []string{"svcctl", "AutoShareServer", "restrict-beats-block"}, Sources: []string{"K attack"}},
		{ID: "disable IPC$", Title: "How to close IPC$", Aliases: []string{"how do I disable IPC$", "how to disable IPC$", "turn off IPC$", "close IPC$", "block IPC$", "disable ipc share", "how to block IPC$", "secure IPC$"}, Text: []string{"You cannot take it away and keep the Server service. Keep strangers out instead: on Windows RestrictNullSessAccess = 1, an empty NullSessionPipes and RestrictAnonymous = 1; on Samba restrict anonymous = 2.", "ipcguard scan HOST shows what a stranger gets, ipcguard plan makes the smallest change, and ipcguard plan --strategy block tells what would stop if you closed it to everybody."}, Related: []string{"IPC$", "RestrictNullSessAccess", "NullSessionPipes", "restrict anonymous", "restrict-beats-block", "net-share-delete", "autoshare-removes-ipc"}, Sources: []string{"D KB3034016", "M samba-4.17.12"}},
		{ID: "is a null session dangerous", Title: "What a null session is worth", Aliases: []string{"is null session dangerous", "null session dangerous", "null session vulnerability", "SMB null session authentication", "null session risk", "smb null session"}, Text: []string{"The session alone is not: every release lets somebody come that far. What counts is what a call then gives: accounts, shares, policy. Scanners that stop at the connection are usually wrong, Microsoft says.", "ipcguard scan HOST asks each pipe and says exposed, limited or closed. On Windows since 2012 and on Samba with restrict anonymous = 2 nothing is given."}, Related: []string{"null session", "connect-is-exposure", "null-session-accepted", "anonymous-lists-accounts"}, Sources: []string{"D ms-blog", "D KB3034016"}},
		{ID: "net use null session", Title: "net use \\\\server\\ipc$ \"\" /user:\"\"", Aliases: []string{"net use \\\\server\\ipc$ \"\" /user:\"\"", "net use \\\\server\\ipc$", "net use ipc$", "rpcclient -U \"\" -N", "enum4linux", "enum4linux-ng", "smbclient -N -L", "smbclient -L", "smbmap", "netexec", "nxc", "crackmapexec", "cme", "nmap smb-enum-shares", "smb-enum-shares", "nmap smb-enum-users", "smb-enum-users", "how to check if anonymous access is enabled", "check for null sessions"}, Text: []string{"It makes a null session by hand. 'The command completed successfully' means that IPC$ connected, which it does on nearly every release; error 5 or 64 means that strangers are refused.", "What a stranger then gets is the question: ipcguard scan HOST asks it."}, Related: []string{"null session", "connect-is-exposure", "STATUS_ACCESS_DENIED", "ERROR_SESSION_CREDENTIAL_CONFLICT"}, Sources: []string{"D KB3034016", "D MS-SMB2 3.3.5.2.9"}},
		{ID: "signing and old devices", Title: "Required signing and devices that cannot do it", Aliases: []string{"SMB signing required NAS", "signing NAS", "signing breaks NAS", "24H2 NAS", "smb signing nas"}, Text: []string{"Windows 11 24H2 requires signing as a client, so that storage boxes and guest shares that cannot sign stop working. It protects against relaying, and not against strangers.", "Update the device or give it an account: a guest session cannot be signed. Taking RequireSecuritySignature of the client to 0 opens the relay again."}, Related: []string{"LanmanWorkstation.RequireSecuritySignature", "RequireSecuritySignature", "AllowInsecureGuestAuth", "NTLM relay"}, Sources: []string{"D WSD smb-signing"}},
		{ID: "computer browser", Title: "The computer browser", Aliases: []string{"browser service", "network neighborhood", "network neighbourhood", "computer browser service"}, Text: []string{"The list of computers of old. It lives on the pipe browser and on SMB1, and went with it. Old guides keep BROWSER in NullSessionPipes for it; nothing current needs it there.", "Where the service is not used, take the name off the list. EnableMailslots keeps its messages off newer releases."}, Related: []string{"browser", "NullSessionPipes", "SMB1", "EnableMailslots"}, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows", "D MS-SRVS 3.1.3"}},
		{ID: "who uses IPC$", Title: "Finding out who uses IPC$", Aliases: []string{"how to find out who uses IPC$", "who is using IPC$", "what uses IPC$", "who needs IPC$", "who connects to IPC$", "who uses my named pipes", "who uses named pipes", "who uses my pipes", "who opens named pipes", "monitor IPC$"}, Text: []string{"Look before you close it: event 5145 on Windows, auth_json_audit:5 on Samba, or the traffic itself. ipcguard observe reads all of them and says who called what as whom.", "A week or two without strangers says something; a log that cannot hold the event says nothing."}, Related: []string{"event 5145", "event 4624", "IPC$", "restrict-beats-block"}, Sources: []string{"D AUD event-5145", "M samba-4.17.12"}},
		{ID: "NTLMv1", Title: "What stops when NTLMv1 is refused", Aliases: []string{"NTLMv1", "ntlm v1", "disable NTLMv1", "scan to folder", "scan to folder printer fails after NTLMv1", "scanner cannot save to share"}, Text: []string{"Old printers that scan to a folder, media players and Java or Node programs answer with NTLMv1 alone and get a wrong password. Anonymous callers send no answer, so null sessions go on.", "LmCompatibilityLevel = 5 refuses it on Windows; 24H2 and Server 2025 have none left. On Samba ntlm auth = ntlmv2-only is the default. Update the device, or give it a server of its own."}, Related: []string{"LmCompatibilityLevel", "ntlm auth", "event 4624"}, Sources: []string{"D SPS network-security-lan-manager-authentication-level", "D KB5066470", "S samba"}},
		{ID: "STATUS_ACCESS_DENIED", Title: "Access is denied (error 5, 0xC0000022)", Aliases: []string{"WERR_ACCESS_DENIED", "ERROR_ACCESS_DENIED", "access denied", "access is denied", "IPC$ access denied"}, Text: []string{"The caller is known to the server and may not do this. On IPC$ it is how a null session is refused: at the logon, at the tree connect, at a pipe that NullSessionPipes does not list, or at the call itself.", "For a user who should get in, look at SeDenyNetworkLogonRight, required signing or encryption that the client cannot do, and RestrictRemoteSAM. For a stranger it is what you want."}, Related: []string{"NullSessionPipes", "RestrictNullSessAccess", "restrict anonymous", "SeNetworkLogonRight", "null session"}, Sources: []string{"D MS-SMB2 3.3.5.9", "M samba-4.17.12"}},
		{ID: "STATUS_BAD_NETWORK_PATH", Title: "The network path was not found (error 53, 0x80070035)", Aliases: []string{"WERR_BAD_NETPATH", "ERROR_BAD_NETPATH", "STATUS_BAD_NETWORK_PATH", "network path was not found"}, Text: []string{"The client found no server: the name did not resolve, or nothing answered on port 445 and 139. No permission was looked at.", "Check the name, a firewall between, and whether the Server service runs (LanmanServer.Start). A server that speaks SMB1 alone looks the same to a client without SMB1."}, Related: []string{"LanmanServer.Start", "SMB1", "port 445"}, Sources: []string{"D MS-SMB2", "K ours"}},
		{ID: "STATUS_BAD_NETWORK_NAME", Title: "The network name cannot be found (error 67, 0x80070043)", Aliases: []string{"WERR_BAD_NET_NAME", "ERROR_BAD_NET_NAME", "network name cannot be found"}, Text: []string{"The server answered, and has no share of this name. For IPC$ that is rare: the Server service makes it at every start.", "For C$ or ADMIN$ look at AutoShareServer and AutoShareWks; for IPC$ restart the Server service. A WebDAV or DFS client says the same of names that are not SMB's."}, Related: []string{"LanmanServer.Start", "AutoShareServer", "administrative shares", "IPC$"}, Sources: []string{"D KB954422", "D KB3034016"}},
		{ID: "STATUS_NETWORK_NAME_DELETED", Title: "The specified network name is no longer available (error 64, 0x80070040)", Aliases: []string{"WERR_NETNAME_DELETED", "ERROR_NETNAME_DELETED", "specified network name is no longer available", "error 64"}, Text: []string{"The share or the connection ended while it was in use. Samba answers so to pipes that were open when IPC$ was closed once, which apply does so that a change counts for everybody; the next connection is judged anew.", "Without such a change, look for what ends connections: a restart of the server, a firewall, a time-out."}, Related: []string{"IPC$", "STATUS_BAD_NETWORK_NAME", "restrict anonymous"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "ERROR_SMB_GUEST_LOGON_BLOCKED", Title: "Unauthenticated guest access is blocked (error 1272, 0x800704F8)", Aliases: []string{"error 1272", "0x800704f8", "organization's security policies block unauthenticated guest access", "You can't access this shared folder because your organization's security policies block unauthenticated guest access", "guest access blocked", "guest logon blocked", "block unauthenticated guest access"}, Text: []string{"This machine, as a client, refused: the server made the logon a guest, and AllowInsecureGuestAuth is 0 here. It is the default of Enterprise and Education since 1709, of Server 2019 and later, and of Pro since 24H2; required signing has the same effect there.", "Give the share a real account instead. AllowInsecureGuestAuth = 1 lets guests in again, without signing and encryption."}, Related: []string{"AllowInsecureGuestAuth", "RequireSecuritySignature", "map to guest", "guest"}, Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3"}},
		{ID: "STATUS_LOGON_FAILURE", Title: "Unknown user name or bad password (error 1326, 0xC000006D)", Aliases: []string{"WERR_LOGON_FAILURE", "ERROR_LOGON_FAILURE", "logon failure"}, Text: []string{"The name or the password did not hold. A made-up name gets this answer where the server makes nobody a guest.", "With a right password, look at LmCompatibilityLevel (an old client sends what is refused) and at ntlm auth on Samba."}, Related: []string{"map to guest", "LmCompatibilityLevel", "ntlm auth", "EnableGuestAccount"}, Sources: []string{"D MS-SMB2 3.3.5.5.3", "M samba-4.17.12"}},
		{ID: "STATUS_NETWORK_SESSION_EXPIRED", Title: "The session has to be set up again (0xC000035C)", Aliases: []string{"NT_STATUS_NETWORK_SESSION_EXPIRED"}, Text: []string{"The ticket or session ran out, and the client should sign in again. It says nothing about permissions."}, Related: []string{"null session"}, Sources: []string{"D MS-SMB2 3.3.5.2.9"}},
		{ID: "STATUS_OBJECT_NAME_NOT_FOUND", Title: "There is no such pipe or file (0xC0000034)", Aliases: []string{"NT_STATUS_OBJECT_NAME_NOT_FOUND"}, Text: []string{"On IPC$: no service listens on this pipe. The service is off, or this product has no such pipe; the caller was let in as far as this."}, Related: []string{"RemoteRegistry.Start", "Spooler.Start", "rpc start on demand helpers", "IPC$"}, Sources: []string{"D MS-SMB2 3.3.5.9", "M samba-4.17.12"}},
		{ID: "STATUS_PIPE_NOT_AVAILABLE", Title: "The pipe is busy or not there (0xC00000AC)", Aliases: []string{"WERR_PIPE_BUSY", "ERROR_PIPE_BUSY", "STATUS_PIPE_BUSY", "STATUS_INSTANCE_NOT_AVAILABLE"}, Text: []string{"Every instance of the pipe is taken. The service is there and lets callers in; try again."}, Related: []string{"IPC$"}, Sources: []string{"D MS-SMB2 3.3.5.9"}},
		{ID: "ERROR_SESSION_CREDENTIAL_CONFLICT", Title: "Two names to one server (error 1219)", Aliases: []string{"WERR_SESSION_CREDENTIAL_CONFLICT", "multiple connections to a server"}, Text: []string{"The client holds a session to this server under another name. net use \\\\SERVER\\IPC$ /delete ends it; an address instead of the name makes a session of its own."}, Related: []string{"IPC$", "net use null session"}, Sources: []string{"K ours"}},
		{ID: "STATUS_LOGON_TYPE_NOT_GRANTED", Title: "No right to log on over the network (error 1385, 0xC000015B)", Aliases: []string{"WERR_LOGON_TYPE_NOT_GRANTED", "ERROR_LOGON_TYPE_NOT_GRANTED"}, Text: []string{"The password held, and the account is not among those who may log on over the network, or is among those who may not."}, Related: []string{"SeNetworkLogonRight", "SeDenyNetworkLogonRight", "LimitBlankPasswordUse"}, Sources: []string{"D SPS access-this-computer-from-the-network"}},
		{ID: "STATUS_ACCOUNT_RESTRICTION", Title: "The account may not log on like this (error 1327, 0xC000006E)", Aliases: []string{"WERR_ACCOUNT_RESTRICTION", "ERROR_ACCOUNT_RESTRICTION"}, Text: []string{"Often a blank password: LimitBlankPasswordUse lets such accounts log on at the console alone."}, Related: []string{"LimitBlankPasswordUse", "ForceGuest"}, Sources: []string{"D SPS accounts-limit-local-account-use-of-blank-passwords-to-console-logon-only"}},
		{ID: "ERROR_SMB1_NOT_AVAILABLE", Title: "The server speaks SMB1 alone (error 384)", Aliases: []string{"error 384", "WERR_SMB1_NOT_AVAILABLE", "requires the obsolete SMB1 protocol", "obsolete SMB1 protocol"}, Text: []string{"This machine has no SMB1 client any more, and the server speaks nothing newer. Update the server, or raise its highest dialect; SMB1 on the client is the worst way out."}, Related: []string{"SMB1", "MrxSmb10.Start", "server min protocol", "server max protocol"}, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
		{ID: "ERROR_PRINTER_RPC_PRIVACY", Title: "Printing over the network fails (0x0000011b, error 283)", Aliases: []string{"error 283", "0x0000011b", "0x11b", "printer error 0x0000011b"}, Text: []string{"The print server asks for encrypted RPC (RpcAuthnLevelPrivacyEnabled) and the client came without. Update both; taking the value to 0 opens what CVE-2021-1678 closed."}, Related: []string{"RpcAuthnLevelPrivacyEnabled", "spoolss", "RpcProtocols"}, Sources: []string{"D KB4599464", "D print-rpc"}},
		{ID: "event 4624", Title: "Security log: somebody logged on", Aliases: []string{"4624", "event 4624 anonymous logon"}, Text: []string{"With ANONYMOUS LOGON (S-1-5-7) and logon type 3 it is a null session. By itself it does not prove that a pipe was opened; local programs make such logons, too.", "Join it with 5145 by the logon id to see the pipe. NTLM V1 beside ANONYMOUS LOGON is not NTLMv1: there is no key."}, Related: []string{"null session", "event 5145", "LmCompatibilityLevel"}, Sources: []string{"D AUD event-4624"}},
		{ID: "event 4625", Title: "Security log: a logon failed", Aliases: []string{"4625"}, Text: []string{"Status and sub-status say why. Where level 5 refused NTLMv1, the refused version is not in the event."}, Related: []string{"LmCompatibilityLevel", "STATUS_LOGON_FAILURE"}, Sources: []string{"D AUD event-4625"}},
		{ID: "event 5140", Title: "Security log: a share was opened", Aliases: []string{"5140"}, Text: []string{"Once a session, at the first access. ShareName \\\\*\\IPC$ is IPC$. It needs the subcategory File Share, and names no pipe: 5145 does."}, Related: []string{"IPC$", "event 5145"}, Sources: []string{"D AUD event-5140"}},
		{ID: "event 5145", Title: "Security log: a pipe or file on a share was opened", Aliases: []string{"5145"}, Text: []string{"On \\\\*\\IPC$ its RelativeTargetName is the pipe: the best event to see who uses IPC$. It needs the subcategory Detailed File Share, which is not on by default as far as known.", "Joined with 4624 by the logon id it shows what a null session opened."}, Related: []string{"IPC$", "event 4624", "NullSessionPipes"}, Sources: []string{"D AUD event-5145"}},
		{ID: "event 4776", Title: "Security log: a domain controller checked NTLM", Aliases: []string{"4776"}, Text: []string{"It names no version of NTLM, and the workstation is whatever the client says."}, Related: []string{"LmCompatibilityLevel"}, Sources: []string{"D AUD event-4776"}},
		{ID: "event 16965", Title: "System log: a remote account call was refused", Aliases: []string{"16962", "16963", "16964", "16965", "16966", "16967", "16968", "16969"}, Text: []string{"RestrictRemoteSAM at work: 16965 refused, 16968 would have refused (audit mode), 16962 and 16963 which descriptor counts, 16964 a malformed one, 16966 and 16967 audit mode on and off, 16969 how many were not logged."}, Related: []string{"RestrictRemoteSAM", "RestrictRemoteSamAuditOnlyMode"}, Sources: []string{"D SPS network-access-restrict-clients-allowed-to-make-remote-sam-calls"}},
		{ID: "event 3000", Title: "SMBServer/Audit: SMB1 was used", Aliases: []string{"3000", "3002", "3003"}, Text: []string{"A client came with SMB1. It is written where Set-SmbServerConfiguration -AuditSmb1Access is on; 3003 says that SMB1 was removed."}, Related: []string{"SMB1"}, Sources: []string{"D WSD smbv1-not-installed-by-default-in-windows"}},
		{ID: "event 3021", Title: "SMBServer/Audit: a client cannot sign or encrypt", Aliases: []string{"3021", "3022"}, Text: []string{"3021 is signing, 3022 encryption. AuditClientDoesNotSupportSigning and AuditClientDoesNotSupportEncryption switch them on."}, Related: []string{"AuditClientDoesNotSupportSigning", "AuditClientDoesNotSupportEncryption", "RequireSecuritySignature"}, Sources: []string{"D KB5066913", "D WSD smb-signing"}},
		{ID: "event 3023", Title: "SMBServer/Operational: a client logged on as guest", Aliases: []string{"3023"}, Text: []string{"The channel is Operational, not Security. AuditInsecureGuestLogon switches it on."}, Related: []string{"AuditInsecureGuestLogon", "EnableGuestAccount", "guest"}, Sources: []string{"D policy-csp lanmanserver"}},
		{ID: "event 3024", Title: "SMBServer/Audit: a client named no or another server", Aliases: []string{"3024", "3025", "3026"}, Text: []string{"No name, an unknown name, an empty name: whom SmbServerNameHardeningLevel would refuse. AuditClientSpnSupport switches it on."}, Related: []string{"AuditClientSpnSupport", "SmbServerNameHardeningLevel"}, Sources: []string{"D KB5066913"}},
		{ID: "event 1009", Title: "SMBServer/Security: an anonymous caller was refused", Aliases: []string{"1009", "1007", "1006"}, Text: []string{"1009: the server refused an anonymous session. 1007: a share did. 1006: a share refused somebody else. They name the client's address."}, Related: []string{"null session", "RestrictNullSessAccess"}, Sources: []string{"D WSD smb-signing"}},
		{ID: "event 6033", Title: "System log, LsaSrv: an anonymous caller asked for the policy", Aliases: []string{"6033"}, Text: []string{"An anonymous session tried to open the security policy and was refused: the block that TurnOffAnonymousBlock would lift is at work."}, Related: []string{"TurnOffAnonymousBlock", "lsarpc"}, Sources: []string{"D MS-LSAD 3.1.1.6.1"}},
		{ID: "event 8003", Title: "NTLM/Operational: NTLM that would be refused", Aliases: []string{"8001", "8002", "8003", "8004", "4001", "4002", "4003"}, Text: []string{"8001 outgoing, 8003 incoming, 8004 at a domain controller; 4001 to 4004 the same, refused. They come with the Restrict NTLM settings in audit mode."}, Related: []string{"AuditReceivingNTLMTraffic", "RestrictSendingNTLMTraffic"}, Sources: []string{"D SPS network-security-restrict-ntlm-audit-incoming-ntlm-traffic"}},
		{ID: "event 31017", Title: "SMBClient/Security: a guest logon was refused", Aliases: []string{"31017", "31018", "31022"}, Text: []string{"This machine as a client: a server made its logon a guest. 31017 refused, 31018 and 31022 that it is allowed."}, Related: []string{"AllowInsecureGuestAuth", "ERROR_SMB_GUEST_LOGON_BLOCKED"}, Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3"}},
		{ID: "port 445", Title: "SMB over TCP", Aliases: []string{"445", "tcp 445", "445/tcp", "microsoft-ds", "smb port"}, Text: []string{"IPC$, every share and every named pipe come through it. A firewall in front of it blocks them all, from wherever the rule holds.", "Closing it to the internet is right everywhere. Inside, restrict strangers instead, or let those in who manage the host: ipcguard plan --strategy block --means host-firewall exports the rule."}, Related: []string{"IPC$", "port 139", "restrict-beats-block"}, Sources: []string{"D MS-SMB2", "D KB3034016"}},
		{ID: "port 139", Title: "SMB over NetBIOS", Aliases: []string{"139", "tcp 139", "139/tcp", "netbios-ssn", "port 137", "port 138", "137", "138"}, Text: []string{"The same server as on 445, behind a NetBIOS session: IPC$ and pipes answer here too. Blocking 445 alone leaves it open. 137 and 138 are names and browsing, without shares.", "Nothing current needs it. On Samba, smb ports = 445 or disable netbios = yes closes it."}, Related: []string{"port 445", "IPC$", "browser"}, Sources: []string{"D MS-SMB2", "S samba"}},
		{ID: "port 135", Title: "The endpoint mapper", Aliases: []string{"135", "tcp 135", "135/tcp", "rpc port"}, Text: []string{"RPC over TCP begins here. It is another door to some of the services that also live on pipes; closing IPC$ does not close it."}, Related: []string{"epmapper", "RestrictRemoteClients"}, Sources: []string{"D MS-RPCE 2.2.1"}},
		{ID: "S-1-5-7", Title: "ANONYMOUS LOGON", Aliases: []string{"NT AUTHORITY\\ANONYMOUS LOGON", "anonymous logon", "ANONYMOUS LOGON"}, Text: []string{"The identifier of a null session. Since XP it does not count among Everyone unless EveryoneIncludesAnonymous is 1.", "In a log it is a caller without a name; what it was given is another question: ipcguard scan asks it."}, Related: []string{"null session", "EveryoneIncludesAnonymous", "event 4624"}, Sources: []string{"D KB3034016", "D MS-SMB2 3.3.5.5.3"}},
		{ID: "IPC$", Title: "The share that carries named pipes", Aliases: []string{"ipc", "ipc share", "inter-process communication share"}, Text: []string{"IPC$ holds no files. Programs on other machines connect to it to open named pipes, and over pipes they call the server: accounts, shares, printers, services, registry.", "The Server service makes it at every start. Nothing in AutoShareServer or AutoShareWks removes it, and its permissions let everybody connect.", "So what matters is not whether a stranger connects but what he is given on each pipe. On Windows the pipe is what you can close, through NullSessionPipes and RestrictNullSessAccess; on Samba the whole share is, through restrict anonymous = 2 or lines in [IPC$].", "Restricting keeps out those who prove nothing. Blocking (a disabled Server service, a firewall, a pipe firewall with an empty list) takes every service on pipes with it."}, Related: []string{"NullSessionPipes", "RestrictNullSessAccess", "RestrictAnonymous", "restrict anonymous", "LanmanServer.Start", "autoshare-removes-ipc", "connect-is-exposure", "null session"}, Sources: []string{"D KB3034016", "D KB954422", "D MS-SMB2 3.3.4.13"}},
		{ID: "null session", Title: "A session without a name", Aliases: []string{"anonymous session", "anonymous logon", "null-session", "S-1-5-7", "anonymous"}, Text: []string{"The caller signs in with an empty name and an empty answer. The server knows him as ANONYMOUS LOGON (S-1-5-7).", "Windows 8 and Server 2012 and later let him in only while some pipe or share is marked for him, and otherwise may accept the session and drop the connection at the next request: that is closed, not broken.", "No single flag on the wire proves a null session; an empty user name together with an empty answer does. Signing does not stop it, and neither does switching SMB1 off."}, Related: []string{"RestrictAnonymous", "NullSessionPipes", "restrict anonymous", "connect-is-exposure", "signing-ends-null", "null-session-accepted"}, Sources: []string{"D MS-SMB2 3.3.5.5.3", "D KB3034016", "D MS-NLMP 3.3.2"}},
		{ID: "closing null sessions", Title: "How to keep sessions without a name out", Aliases: []string{"disable null sessions", "disable null session", "disable anonymous sessions", "block null sessions", "stop null sessions", "turn off null sessions", "prevent null sessions"}, Text: []string{"Windows: leave NullSessionPipes and NullSessionShares empty, RestrictNullSessAccess at 1, RestrictAnonymous and RestrictAnonymousSAM at 1. Since Server 2012 that is nearly the default: first see what was opened. Samba: restrict anonymous = 2.", "A domain controller needs netlogon, samr and lsarpc in the list. ipcguard plan makes the smallest change for a host and says what it stops; ipcguard scan HOST shows whether it held."}, Related: []string{"RestrictNullSessAccess", "NullSessionPipes", "NullSessionShares", "RestrictAnonymous", "RestrictAnonymousSAM", "restrict anonymous", "null session"}, Sources: []string{"D KB3034016", "M samba-4.17.12"}},
		{ID: "guest", Title: "A session that the server calls guest", Aliases: []string{"guest session", "guest access"}, Text: []string{"A caller whose name or password did not hold is let in as guest where the server is set so, and the server says so in its answer.", "On Samba a guest gets what an anonymous caller gets. On Windows the guest account has been disabled by default for twenty years."}, Related: []string{"EnableGuestAccount", "ForceGuest", "map to guest", "unknown-user-becomes-guest"}, Sources: []string{"D WSD enable-insecure-guest-logons-smb2-and-smb3", "M samba-4.17.12"}},
		{ID: "force user", Title: "Files of a share are opened as another user", Aliases: []string{"force group"}, Text: []string{"A parameter of a Samba share. It decides as whom files are opened once somebody is in, and never who comes in: guest ok, valid users and the lists of hosts are held to who logged on.", "A guest share with force user gives strangers what that user may do. Where the account is not there, nobody comes in at all."}, Related: []string{"guest ok", "guest account", "lists of users"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "security = share", Title: "Passwords for shares, which Samba 4 does not have", Aliases: []string{"security = server", "security share"}, Text: []string{"Samba 4 took share and server from security: it does not start with such a line, or keeps the configuration that it had.", "Leave the line out. Guests then come in with map to guest = bad user and guest ok = yes on the share, which lets every stranger read it; an account is better."}, Related: []string{"map to guest", "guest ok"}, Sources: []string{"M samba-4.17.12"}},
		{ID: "lists of users", Title: "valid users and invalid users of a Samba share", Aliases: []string{"valid users", "invalid users", "valid users guest", "valid users nobody"}, Text: []string{"They are held to who logged on. A stranger is the guest account, nobody as a rule: a share with guest ok and valid users = alice takes no stranger, and invalid users = nobody keeps strangers out of any share, IPC$ among them.", "Names of groups, with % or with a domain are not judged without the host's accounts: what depends on them is shown as unknown."}, Related: []string{"IPC$:invalid users", "guest ok", "guest account", "force user"}, Sources: []string{"M samba-4.17.12", "S samba"}},
		{ID: "RID cycling", Title: "Learning accounts one number at a time", Aliases: []string{"sid enumeration", "lookupsid", "rid brute"}, Text: []string{"A stranger who may translate SIDs asks for each number in turn and learns every account and group without ever listing them. It works at RestrictAnonymous 1 and, on Samba, at restrict anonymous 1."}, Related: []string{"LSAAnonymousNameLookup", "anonymous-lists-sids", "lsarpc"}, Sources: []string{"D Q143474", "M samba-4.17.12"}},
		{ID: "administrative shares", Title: "C$, D$ and ADMIN$", Aliases: []string{"is C$ the same as IPC$", "admin shares", "default shares", "hidden shares", "ADMIN$", "C$"}, Text: []string{"Shares that Windows makes for administrators at each start. AutoShareServer and AutoShareWks switch them off. IPC$ is not one of them."}, Related: []string{"AutoShareServer", "AutoShareWks", "autoshare-removes-ipc"}, Sources: []string{"D KB954422"}},
	},
	Rules: []Rule{
		{Discloses: "identity", Pipe: "lsarpc", Interface: "lsarpc", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "LsarGetUserName answers every session", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "sids", Pipe: "lsarpc", Interface: "lsarpc", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "policy queries, account SIDs and names for SIDs answer at restrict anonymous 1 too, on a domain controller as well", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "trusts", Pipe: "lsarpc", Interface: "lsarpc", Systems: []string{"samba"}, Standalone: "absent", DC: "anyone", Why: "a domain controller does not check who asks for its trusts; other servers have no such call", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "host-info", Pipe: "lsarpc", Interface: "dssetup", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "the machine's role is not checked", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "accounts", Pipe: "samr", Interface: "samr", Systems: []string{"samba"}, Standalone: "unrestricted", DC: "anyone", Why: "samr checks restrict anonymous when it connects, except on a domain controller, whose samr does not look at it", Sources: []string{"M samba-4.17.12", "S samba"}},
		{Discloses: "groups", Pipe: "samr", Interface: "samr", Systems: []string{"samba"}, Standalone: "unrestricted", DC: "anyone", Why: "samr checks restrict anonymous when it connects, except on a domain controller", Sources: []string{"M samba-4.17.12", "S samba"}},
		{Discloses: "password-policy", Pipe: "samr", Interface: "samr", Systems: []string{"samba"}, Standalone: "unrestricted", DC: "anyone", Why: "samr checks restrict anonymous when it connects, except on a domain controller", Sources: []string{"M samba-4.17.12", "S samba"}},
		{Discloses: "sids", Pipe: "samr", Interface: "samr", Systems: []string{"samba"}, Standalone: "unrestricted", DC: "anyone", Why: "samr checks restrict anonymous when it connects, except on a domain controller", Sources: []string{"M samba-4.17.12", "S samba"}},
		{Discloses: "shares", Pipe: "srvsvc", Interface: "srvsvc", Systems: []string{"samba"}, Standalone: "unrestricted", DC: "unrestricted", Why: "NetrShareEnum checks restrict anonymous", Sources: []string{"M samba-4.17.12", "S samba"}},
		{Discloses: "host-info", Pipe: "srvsvc", Interface: "srvsvc", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "the clock is not checked; NetrServerGetInfo is", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "host-info", Pipe: "srvsvc", Interface: "srvsvc", Call: "NetrServerGetInfo", Systems: []string{"samba"}, Standalone: "unrestricted", DC: "unrestricted", Why: "NetrServerGetInfo checks restrict anonymous", Sources: []string{"M samba-4.17.12", "S samba"}},
		{Discloses: "sessions", Pipe: "srvsvc", Interface: "srvsvc", Systems: []string{"samba"}, Standalone: "administrator", DC: "administrator", Why: "NetrSessionEnum is for administrators", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "sessions", Pipe: "wkssvc", Interface: "wkssvc", Systems: []string{"samba"}, Standalone: "administrator", DC: "unknown", Why: "NetrWkstaUserEnum is for administrators; a domain controller answers everybody with an error code that names no reason", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "host-info", Pipe: "wkssvc", Interface: "wkssvc", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "NetrWkstaGetInfo is not checked", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "registry", Pipe: "winreg", Interface: "winreg", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "opening a root key to read is not checked", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "services", Pipe: "svcctl", Interface: "svcctl", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "the list of services is not checked", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "printers", Pipe: "spoolss", Interface: "spoolss", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "the list of printers is not checked", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "dfs", Pipe: "netdfs", Interface: "netdfs", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "the version call is not checked", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "endpoints", Pipe: "epmapper", Interface: "epmapper", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "the endpoint map is for everybody", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "host-info", Pipe: "netlogon", Interface: "netlogon", Systems: []string{"samba"}, Standalone: "absent", DC: "anyone", Why: "finding a domain controller is not checked; other servers have no such pipe", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "logs", Pipe: "eventlog", Interface: "eventlog", Systems: []string{"samba"}, Standalone: "absent", DC: "absent", Why: "no log exists unless the administrator defines one", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "jobs", Pipe: "atsvc", Interface: "atsvc", Systems: []string{"samba"}, Standalone: "absent", DC: "absent", Why: "Samba has no task scheduler", Sources: []string{"M samba-4.17.12"}},
		{Discloses: "host-info", Pipe: "ntsvcs", Interface: "plugplay", Systems: []string{"samba"}, Standalone: "anyone", DC: "anyone", Why: "the version call is not checked", Sources: []string{"M samba-4.17.12"}},
	},
	Presence: []Presence{
		{System: "samba", Roles: []model.Role{"standalone", "member", "workstation"}, Pipes: []string{"lsarpc", "samr", "lsass", "srvsvc", "wkssvc", "spoolss", "svcctl", "winreg", "eventlog", "ntsvcs", "plugplay", "epmapper", "netdfs", "InitShutdown", "FssagentRpc", "mdssvc"}, Later: []Later{
			{Pipes: []string{"epmapper", "FssagentRpc"}, Without: "4.13.13", With: "4.17.12"},
		}, Sources: []string{"M samba-4.17.12", "M samba-releases"}},
		{System: "samba", Roles: []model.Role{"domain-controller"}, Pipes: []string{"lsarpc", "samr", "netlogon", "lsass", "protected_storage", "srvsvc", "wkssvc", "browser", "spoolss", "svcctl", "winreg", "eventlog", "ntsvcs", "plugplay", "epmapper", "netdfs", "InitShutdown", "dnsserver", "mdssvc"}, Sources: []string{"M samba-4.17.12"}},
	},
	Ways: []Way{
		{ID: "server-service", System: "windows", Sets: []WaySet{
			{Setting: "LanmanServer.Start", Value: 4},
		}, Takes: "IPC$, every pipe from afar and every share", Leaves: "nothing of file and printer sharing", Shares: true, Sources: []string{"D KB3034016", "3 smallvoid"}},
		{ID: "pipe-firewall", System: "windows", Sets: []WaySet{
			{Setting: "AllowedPipes", Value: "needed-pipes"},
			{Setting: "PipeFirewallActive", Value: 1},
		}, Takes: "every pipe that is not listed, from everybody", Leaves: "disk shares, and IPC$ without pipes", ByList: true, OnlyExport: true, Note: "documented for XP SP2 and Server 2003 SP1; whether the server of Vista and later honours it was never tested here, so it is exported for a trial on a spare host and not applied", Sources: []string{"D KB925890", "3 HSC 4.7.8"}},
		{ID: "host-firewall", System: "windows", Ports: []string{"139", "445"}, Takes: "IPC$ and every share, from wherever the rule holds", Leaves: "the host's own programs", Shares: true, OnlyExport: true, Note: "a rule of the host's own firewall: make an exception for the addresses that manage the host before it is enabled", Sources: []string{"I ours"}},
		{ID: "auto-share", System: "windows", Sets: []WaySet{
			{Scope: Scope{Family: "server"}, Setting: "AutoShareServer", Value: 0},
			{Scope: Scope{Family: "client"}, Setting: "AutoShareWks", Value: 0},
		}, Takes: "the drive shares (C$, D$ …) and ADMIN$", Leaves: "IPC$ with every pipe, and every share that somebody made", KeepsIPC: true, Sources: []string{"D KB954422", "D Q185590"}},
		{ID: "ipc-hosts-deny", System: "samba", Sets: []WaySet{
			{Setting: "IPC$:hosts deny", Value: []interface{}{"ALL"}},
		}, Takes: "IPC$ and every pipe, from everybody", Leaves: "disk shares", Sources: []string{"M samba-4.17.12"}},
		{ID: "no-pipes", System: "samba", Sets: []WaySet{
			{Setting: "nt pipe support", Value: false},
		}, Takes: "every pipe, from everybody", Leaves: "disk shares, and IPC$ without pipes", Sources: []string{"M samba-4.17.12"}},
		{ID: "restrict-anonymous", System: "samba", Sets: []WaySet{
			{Setting: "restrict anonymous", Value: 2},
		}, Takes: "IPC$ from strangers", Leaves: "IPC$ for those who sign in, and disk shares", Spares: "users", Sources: []string{"M samba-4.17.12"}},
		{ID: "encryption", System: "samba", Sets: []WaySet{
			{Setting: "server smb encrypt", Value: "required"},
		}, Takes: "every session without a key: strangers, and clients without SMB3 encryption", Leaves: "those who sign in with SMB3", Spares: "encrypted", Sources: []string{"M samba-4.17.12"}},
		{ID: "host-firewall", System: "samba", Ports: []string{"139", "445"}, Takes: "IPC$ and every share, from wherever the rule holds", Leaves: "the host's own programs", Shares: true, OnlyExport: true, Note: "a rule of the host's own firewall: it is put before all others, so that an exception for the addresses that manage the host has to be put before it afterwards", Sources: []string{"I ours"}},
		{ID: "restrict-anonymous", System: "ksmbd", Sets: []WaySet{
			{Setting: "ksmbd:restrict anonymous", Value: 1},
		}, Takes: "IPC$ from strangers", Leaves: "IPC$ for those who sign in", Spares: "users", Sources: []string{"S ksmbd-tools"}},
	},
	Clients: []Client{
		{Says: "NTLMSSP 6.1 build 0", Kind: "Samba's client or library, as in Linux, NAS and printers", Sources: []string{"M samba-4.17.12"}},
		{Says: "Samba", Kind: "Samba's client or library, as in Linux, NAS and printers, or impacket, which says the same", Sources: []string{"M samba-4.17.12"}},
		{Says: "jCIFS", Kind: "a Java program (jCIFS)", Sources: []string{"S jcifs"}},
		{Says: "CIFS VFS Client for Linux", Kind: "the Linux kernel (mount.cifs)", Sources: []string{"S linux"}},
		{Says: "Windows 4.0", Kind: "Windows 95, 98 or Me", Sources: []string{"D MS-CIFS 2.2.4.53.1"}},
		{Says: "Windows 2000 2195", Kind: "Windows 2000", Sources: []string{"D MS-SMB"}},
		{Says: "Windows 2002", Kind: "Windows XP", Sources: []string{"D MS-SMB"}},
	},
	Servers: []Kind{
		{ID: "responder", Title: "Responder", Decoy: "Responder takes the logons of whoever connects, and serves nothing.", Clues: []Clue{
			{If: map[string]string{"guid": "ee85abf7eaf60c4f928192476deb76a9"}, Says: "its server GUID is the one that Responder always sends"},
			{If: map[string]string{"hint": "Server2008@SMB*"}, Says: "the first token of its logon names Server2008@SMB….local, as Responder's does"},
			{If: map[string]string{"guid": "ea85abf1eaf60c4f928192476deb72a9"}, Says: "its server GUID is the one that Responder's MultiRelay always sends"},
		}, Sources: []string{"S responder"}},
		{ID: "dionaea", Title: "Dionaea", Decoy: "Dionaea is a honeypot: it answers to see what visitors do, and serves nothing.", Clues: []Clue{
			{If: map[string]string{"name": "HOMEUSER-3AF6FE"}, Says: "it has the name that Dionaea gives itself"},
			{If: map[string]string{"name": "HOMEUSER-3AF6FE", "native_os": "Windows 5.1"}, Says: "it claims to be Windows 5.1, as Dionaea does", Weak: true},
		}, Sources: []string{"S dionaea"}},
		{ID: "impacket", Title: "impacket's server", Decoy: "impacket's server is a tool of testers and attackers that takes files or logons; no file server of a site is made of it.", Clues: []Clue{
			{If: map[string]string{"guid": "41414141414141414141414141414141"}, Says: "its server GUID is sixteen times the letter A, as impacket's smbserver sends it"},
			{If: map[string]string{"guid_kind": "letters"}, Says: "its server GUID is sixteen letters, as impacket's ntlmrelayx makes it"},
			{If: map[string]string{"version": "255.255.65535"}, Says: "its NTLM challenge names version 255.255, build 65535", Weak: true},
			{If: map[string]string{"started": "now"}, Says: "it says that it was started in the second of the answer", Weak: true},
		}, Sources: []string{"S impacket", "M impacket-0.10"}},
		{ID: "ksmbd", Title: "ksmbd", System: "ksmbd", Clues: []Clue{
			{If: map[string]string{"domain": "name", "guid_kind": "zero", "version": "none"}, Says: "its server GUID is empty, and its NTLM challenge names no version and the server itself in every place"},
			{If: map[string]string{"guid_kind": "zero", "null_session": "guest"}, Says: "it makes a null session a guest's", Weak: true},
		}, Sources: []string{"M ksmbd-6.12", "M ksmbd-7.2"}},
		{ID: "samba", Title: "Samba", System: "samba", Clues: []Clue{
			{If: map[string]string{"native_lanman": "Samba*"}, Says: "it says so itself over SMB1", Tells: "native_lanman"},
			{If: map[string]string{"comment": "Samba 4.*"}, Says: "its comment, which is what server string is without being set, says so", Tells: "comment"},
			{If: map[string]string{"version": "6.1.0"}, Says: "its NTLM challenge names version 6.1 without a build"},
			{If: map[string]string{"guid_kind": "name"}, Says: "its server GUID spells its name"},
			{If: map[string]string{"signing": "AES-128-GMAC", "version": "6.1.0"}, Says: "it negotiates how messages are signed, as Samba does from 4.15 on", Weak: true, Since: "4.15"},
		}, Sources: []string{"M samba-releases", "S samba"}},
		{ID: "windows", Title: "Windows", System: "windows", Dialects: map[string]int{"2.0.2": 6000, "2.1": 7600, "3.0": 9200, "3.0.2": 9600, "3.1.1": 10240}, Clues: []Clue{
			{If: map[string]string{"native_lanman": "Windows*"}, Says: "it says so itself over SMB1", Tells: "native_os"},
			{If: map[string]string{"native_lanman": "NT LAN Manager*", "native_os": "Windows*"}, Says: "it says so itself over SMB1", Tells: "native_os"},
			{If: map[string]string{"windows": "*"}, Says: "from its NTLM challenge", Tells: "windows", Guess: true},
		}, Sources: []string{"D MS-SMB2", "D MS-NLMP", "D MS-CIFS"}},
	},
	Sources: []Source{
		{ID: "MS-*", Title: "Microsoft Open Specifications", Where: "https://learn.microsoft.com/openspecs/windows_protocols/", Page: "https://learn.microsoft.com/openspecs/windows_protocols/{lower}/", Pages: map[string]string{"MS-EFSR 2.1": "https://learn.microsoft.com/openspecs/windows_protocols/ms-efsr/ab3c0be4-5b55-4a08-b198-f17170100be6", "MS-LSAD 3.1.1.6.1": "https://learn.microsoft.com/openspecs/windows_protocols/ms-lsad/3a635f0d-5db8-4efe-af3d-131b8b62aed5", "MS-LSAD 3.1.4.4.1": "https://learn.microsoft.com/openspecs/windows_protocols/ms-lsad/9456a963-7c21-4710-af77-d0a2f5a72d6b", "MS-RPRN 2.1": "https://learn.microsoft.com/openspecs/windows_protocols/ms-rprn/fdf1138a-f6b9-4b00-ada6-1fbb6097d683", "MS-RPRN 3.1.4": "https://learn.microsoft.com/openspecs/windows_protocols/ms-rprn/700f007d-72b7-4b44-9517-56569704bb8d", "MS-SMB2 3.3.5.2.9": "https://learn.microsoft.com/openspecs/windows_protocols/ms-smb2/b495e2da-8711-4772-b292-453be0394b49", "MS-SMB2 3.3.5.5.3": "https://learn.microsoft.com/openspecs/windows_protocols/ms-smb2/5ed93f06-a1d2-4837-8954-fa8b833c2654", "MS-SMB2 3.3.5.9": "https://learn.microsoft.com/openspecs/windows_protocols/ms-smb2/8c61e928-9242-44ed-96a0-98d1032d0d39", "MS-SRVS 3.1.6.17": "https://learn.microsoft.com/openspecs/windows_protocols/ms-srvs/35bfc501-d580-4714-bf26-fd554a31ce53"}},
		{ID: "MC-*", Title: "Microsoft Open Specifications", Where: "https://learn.microsoft.com/openspecs/windows_protocols/", Page: "https://learn.microsoft.com/openspecs/windows_protocols/{lower}/"},
		{ID: "Q*", Title: "Microsoft Knowledge Base, archived article", Where: "https://github.com/jeffpar/kbarchive", Page: "https://github.com/jeffpar/kbarchive/blob/master/kb/{thousand}/{key}/README.md"},
		{ID: "cc*", Title: "Microsoft TechNet page, archived", Where: "https://learn.microsoft.com/previous-versions/"},
		{ID: "jj852230", Title: "TechNet: Do not allow anonymous enumeration of SAM accounts", Where: "https://learn.microsoft.com/previous-versions/"},
		{ID: "KB954422", Title: "Microsoft: remove administrative shares", Where: "https://learn.microsoft.com/troubleshoot/windows-server/networking/remove-administrative-shares"},
		{ID: "KB3034016", Title: "Microsoft: IPC$ share and null session behaviour", Where: "https://learn.microsoft.com/troubleshoot/windows-server/networking/inter-process-communication-share-null-session"},
		{ID: "KB925890", Title: "Microsoft: named pipe filters in XP SP2, 2003 SP1 and later (title read only)", Where: "https://mskb.pkisolutions.com/kb/925890"},
		{ID: "KB246261", Title: "Microsoft: the RestrictAnonymous registry value (excerpt read only)", Where: "https://mskb.pkisolutions.com/kb/246261"},
		{ID: "KB842715", Title: "Microsoft: problems when administrative shares are missing (translated copies read)", Where: "https://support.microsoft.com/kb/842715"},
		{ID: "KB831127", Title: "Microsoft: SQL Server clusters and named pipes", Where: "https://support.microsoft.com/kb/831127"},
		{ID: "KB823659", Title: "Microsoft: incompatibilities of security settings (excerpt read only)", Where: "https://support.microsoft.com/kb/823659"},
		{ID: "SPS", Title: "Microsoft: Windows security policy settings reference", Where: "https://learn.microsoft.com/windows/security/threat-protection/security-policy-settings/", Page: "https://learn.microsoft.com/windows/security/threat-protection/security-policy-settings/{section}"},
		{ID: "AUD", Title: "Microsoft: Windows audit events reference", Where: "https://learn.microsoft.com/windows/security/threat-protection/auditing/", Page: "https://learn.microsoft.com/windows/security/threat-protection/auditing/{section}"},
		{ID: "WSD", Title: "Microsoft: Windows Server file services documentation", Where: "https://learn.microsoft.com/windows-server/storage/file-server/", Page: "https://learn.microsoft.com/windows-server/storage/file-server/{section}"},
		{ID: "win32", Title: "Microsoft: Win32 documentation, RPC interface restriction", Where: "https://learn.microsoft.com/windows/win32/rpc/rpc-interface-restrict"},
		{ID: "aa995844", Title: "Microsoft TechNet page on Exchange and RestrictRemoteClients, archived", Where: "https://learn.microsoft.com/previous-versions/"},
		{ID: "policy-csp", Title: "Microsoft: Policy CSP reference", Where: "https://learn.microsoft.com/windows/client-management/mdm/", Page: "https://learn.microsoft.com/windows/client-management/mdm/policy-csp-{section}"},
		{ID: "KB4599464", Title: "Microsoft: printer RPC binding changes for CVE-2021-1678", Where: "https://support.microsoft.com/help/4599464"},
		{ID: "KB3000483", Title: "Microsoft: MS15-011, hardened UNC paths", Where: "https://support.microsoft.com/help/3000483"},
		{ID: "KB5066913", Title: "Microsoft: auditing of SMB signing and of server names (CVE-2025-55234)", Where: "https://support.microsoft.com/help/5066913"},
		{ID: "KB5066470", Title: "Microsoft: NTLMv1 and MS-CHAPv2 in Windows 11 24H2 and Server 2025", Where: "https://support.microsoft.com/help/5066470"},
		{ID: "defender-identity", Title: "Microsoft: Defender for Identity, remote calls to SAM (issues 221 and 434 of its documentation)", Where: "https://github.com/MicrosoftDocs/ATADocs", Page: "https://github.com/MicrosoftDocs/ATADocs/issues/{section}"},
		{ID: "print-rpc", Title: "Microsoft: RPC connection updates for print in Windows 11", Where: "https://learn.microsoft.com/troubleshoot/windows-client/printing/windows-11-rpc-connection-updates-for-print"},
		{ID: "sql-docs", Title: "Microsoft: SQL Server network protocol documentation", Where: "https://learn.microsoft.com/sql/"},
		{ID: "ms-blog", Title: "Microsoft blog: SMB and Null Sessions: Why Your Pen Test is Probably Wrong", Where: "https://techcommunity.microsoft.com/blog/filecab/smb-and-null-sessions-why-your-pen-test-is-probably-wrong/1185365"},
		{ID: "MBSA", Title: "Microsoft Baseline Security Analyzer, check texts"},
		{ID: "HSC", Title: "HSC: minimizing Windows network services; null sessions (J.-B. Marchand)", Where: "hsc.fr"},
		{ID: "OSR", Title: "J.-B. Marchand's list of pipe aliases (2003)", Where: "OSR forum"},
		{ID: "HK", Title: "HardeningKitty lists", Where: "https://github.com/scipag/HardeningKitty"},
		{ID: "wazuh", Title: "Wazuh security configuration policies", Where: "https://github.com/wazuh/wazuh"},
		{ID: "powerstig", Title: "DISA STIG XCCDF files as kept by PowerStig", Where: "https://github.com/microsoft/PowerStig"},
		{ID: "msft-baseline", Title: "Microsoft security baselines", Where: "https://www.microsoft.com/download/details.aspx?id=55319"},
		{ID: "ansible-lockdown", Title: "ansible-lockdown CIS roles", Where: "https://github.com/ansible-lockdown"},
		{ID: "dev-sec", Title: "dev-sec windows-baseline", Where: "https://github.com/dev-sec/windows-baseline"},
		{ID: "hives", Title: "Real SYSTEM hives: Windows 7, Windows 10 1709 and two more", Where: "https://github.com/mkorman90/regipy (test data)"},
		{ID: "samba", Title: "Samba source and manual pages", Where: "https://git.samba.org/samba.git"},
		{ID: "samba-4.17.12", Title: "Measured on Samba 4.17.12 on loopback with rpcclient, smbclient and impacket"},
		{ID: "ksmbd-tools", Title: "ksmbd.conf(5) and ksmbd-tools source", Where: "https://github.com/cifsd-team/ksmbd-tools"},
		{ID: "samba-releases", Title: "Measured on Debian's Samba 4.13, 4.17, 4.22 and 4.25 on loopback with this program, rpcclient and smbclient", Where: "docs/measured"},
		{ID: "ksmbd-6.12", Title: "Measured on ksmbd of Linux 6.12 with ksmbd-tools 3.5.3, in a virtual machine", Where: "docs/measured"},
		{ID: "ksmbd-7.2", Title: "Measured on ksmbd of Linux 7.2 with ksmbd-tools 3.5.7, in a virtual machine", Where: "docs/measured"},
		{ID: "impacket-0.10", Title: "Measured on the servers of Debian's impacket 0.10 on loopback"},
		{ID: "responder", Title: "Responder, source", Where: "https://github.com/lgandx/Responder"},
		{ID: "dionaea", Title: "Dionaea, source", Where: "https://github.com/DinoTools/dionaea"},
		{ID: "rpcfirewall", Title: "Zero Networks rpcfirewall README", Where: "https://github.com/zeronetworks/rpcfirewall"},
		{ID: "jcifs", Title: "jCIFS, source", Where: "https://github.com/codelibs/jcifs"},
		{ID: "linux", Title: "The Linux kernel, fs/smb/client", Where: "https://github.com/torvalds/linux"},
		{ID: "impacket", Title: "impacket, source and pull requests", Where: "https://github.com/fortra/impacket"},
		{ID: "netcease", Title: "NetCease and gists that show its values"},
		{ID: "evtx-samples", Title: "EVTX attack samples", Where: "https://github.com/sbousseaden/EVTX-ATTACK-SAMPLES"},
		{ID: "sigma", Title: "Sigma rules", Where: "https://github.com/SigmaHQ/sigma"},
		{ID: "elastic", Title: "Elastic detection rules", Where: "https://github.com/elastic/detection-rules"},
		{ID: "nessus", Title: "Nessus plugin ids as listed in public scan reports"},
		{ID: "cve", Title: "CVE list", Where: "https://www.cve.org"},
		{ID: "tenable", Title: "Tenable audit files"},
		{ID: "nsacyber", Title: "NSA Windows Secure Host Baseline", Where: "https://github.com/nsacyber/Windows-Secure-Host-Baseline"},
		{ID: "smallvoid", Title: "smallvoid.com Windows service notes"},
		{ID: "virusinfo", Title: "virusinfo.info forum report"},
		{ID: "sophos-11459", Title: "Sophos article 11459"},
		{ID: "ntlm-analyzer", Title: "NTLM-Analyzer 2.2", Where: "https://github.com/Nobrac/NTLM-Analyzer"},
		{ID: "coercer", Title: "Coercer", Where: "https://github.com/p0dalirius/Coercer"},
		{ID: "mysql", Title: "MySQL reference manual", Where: "https://dev.mysql.com/doc/"},
		{ID: "oracle", Title: "Oracle 11g listener.ora reference"},
		{ID: "veritas", Title: "Veritas and Symantec port lists (100017208, 255831)"},
		{ID: "veeam", Title: "Veeam help centre, port lists"},
		{ID: "release-tables", Title: "Windows release and build numbers"},
		{ID: "attack", Title: "MITRE ATT&CK", Where: "https://attack.mitre.org"},
		{ID: "nist", Title: "NIST SP 800-53 through DISA's CCI list"},
		{ID: "gpregistrypolicydsc", Title: "GPRegistryPolicyDsc, issues and pull requests", Where: "https://github.com/dsccommunity/GPRegistryPolicyDsc"},
		{ID: "ours", Title: "This project's own judgement"},
	},
}
