package rsop

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
)

const base = `<GPO xmlns="http://www.microsoft.com/GroupPolicy/Settings/Base"><Identifier xmlns="http://www.microsoft.com/GroupPolicy/Types">{1}</Identifier></GPO><Precedence xmlns="http://www.microsoft.com/GroupPolicy/Settings/Base">`

// sample has the form of gpresult /x's output, with invented values.
const sample = `<?xml version="1.0" encoding="utf-16"?>
<Rsop xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://www.microsoft.com/GroupPolicy/Rsop">
  <ReadTime>2026-01-01T00:00:00Z</ReadTime><DataType>LoggedData</DataType>
  <UserResults><ExtensionData><Extension><q9:SecurityOptions xmlns:q9="x"><q9:KeyName>MACHINE\X\Y</q9:KeyName><q9:SettingNumber>1</q9:SettingNumber></q9:SecurityOptions></Extension></ExtensionData></UserResults>
  <ComputerResults>
    <Name>EXAMPLE\SRV1$</Name>
    <GPO><Name>Default Domain Policy</Name><Path><Identifier xmlns="http://www.microsoft.com/GroupPolicy/Types">{1}</Identifier></Path></GPO>
    <GPO><Name>Servers</Name></GPO>
    <ExtensionData>
      <Extension xmlns:q1="http://www.microsoft.com/GroupPolicy/Settings/Security" xsi:type="q1:SecuritySettings" xmlns="http://www.microsoft.com/GroupPolicy/Settings">
        <q1:Account>` + base + `1</Precedence><q1:Name>LockoutBadCount</q1:Name><q1:SettingNumber>3</q1:SettingNumber><q1:Type>Account Lockout</q1:Type></q1:Account>
        <q1:UserRightsAssignment>` + base + `1</Precedence><q1:Name>SeNetworkLogonRight</q1:Name><q1:Member><SID xmlns="t">S-1-5-32-544</SID><Name xmlns="t">BUILTIN\Administratoren</Name></q1:Member><q1:Member><Name xmlns="t">BUILTIN\Guests</Name></q1:Member></q1:UserRightsAssignment>
        <q1:SecurityOptions>` + base + `1</Precedence><q1:KeyName>MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymous</q1:KeyName><q1:SettingNumber>1</q1:SettingNumber><q1:Display><q1:Name>In any language</q1:Name></q1:Display></q1:SecurityOptions>
        <q1:SecurityOptions>` + base + `2</Precedence><q1:KeyName>MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymous</q1:KeyName><q1:SettingNumber>0</q1:SettingNumber></q1:SecurityOptions>
        <q1:SecurityOptions>` + base + `1</Precedence><q1:KeyName>MACHINE\System\CurrentControlSet\Services\LanManServer\Parameters\NullSessionPipes</q1:KeyName><q1:SettingStrings><q1:Value /><q1:Value>netlogon</q1:Value><q1:Value>samr</q1:Value></q1:SettingStrings></q1:SecurityOptions>
        <q1:SecurityOptions>` + base + `1</Precedence><q1:KeyName>MACHINE\System\CurrentControlSet\Control\Lsa\RestrictRemoteSAM</q1:KeyName><q1:SettingString>O:BAG:BAD:(A;;RC;;;BA)</q1:SettingString></q1:SecurityOptions>
        <q1:SecurityOptions>` + base + `1</Precedence><q1:SystemAccessPolicyName>LSAAnonymousNameLookup</q1:SystemAccessPolicyName><q1:SettingNumber>0</q1:SettingNumber></q1:SecurityOptions>
        <q1:SystemServices>` + base + `1</Precedence><q1:Name>Spooler</q1:Name><q1:StartupMode>Disabled</q1:StartupMode></q1:SystemServices>
      </Extension>
      <Name xmlns="http://www.microsoft.com/GroupPolicy/Settings">Sicherheit</Name>
    </ExtensionData>
    <ExtensionData>
      <Extension xmlns:q4="http://www.microsoft.com/GroupPolicy/Settings/Registry" xsi:type="q4:RegistrySettings">
        <q4:Policy>` + base + `1</Precedence><q4:Name>Some template</q4:Name><q4:State>Enabled</q4:State></q4:Policy>
        <q4:RegistrySetting>` + base + `1</Precedence><q4:KeyPath>Software\Policies\Microsoft\Windows\LanmanWorkstation</q4:KeyPath><q4:AdmSetting>false</q4:AdmSetting><q4:Value><q4:Name>AllowInsecureGuestAuth</q4:Name><q4:Number>0</q4:Number></q4:Value></q4:RegistrySetting>
        <q4:RegistrySetting>` + base + `1</Precedence><q4:KeyPath>Software\X</q4:KeyPath><q4:AdmSetting>false</q4:AdmSetting></q4:RegistrySetting>
      </Extension>
    </ExtensionData>
  </ComputerResults>
</Rsop>`

func TestParse(t *testing.T) {
	r, err := Parse(sample)
	if err != nil || !Is(sample) || r.Host != "SRV1" || r.Unshown != 1 ||
		!slices.Equal(r.Policies, []string{"Default Domain Policy", "Servers"}) {
		t.Fatalf("%+v, %v", r, err)
	}
	tree := &registry.Tree{}
	for _, v := range r.Values {
		tree.Set(v)
	}
	if len(r.Values) != 4 {
		t.Errorf("%d values", len(r.Values))
	}
	v, _ := tree.Value(`HKLM\System\CurrentControlSet\Control\Lsa`, "RestrictAnonymous")
	if n, err := v.DWord(); n != 1 || err != nil {
		t.Errorf("%+v", v)
	}
	v, _ = tree.Value(`HKLM\System\CurrentControlSet\Services\LanManServer\Parameters`, "NullSessionPipes")
	if list, err := v.Strings(); !slices.Equal(list, []string{"netlogon", "samr"}) || err != nil {
		t.Errorf("%q, %v", list, err)
	}
	for section, want := range map[string][2]string{
		"System Access":           {"LSAAnonymousNameLookup", "0"},
		"Privilege Rights":        {"SeNetworkLogonRight", "*S-1-5-32-544,Guests"},
		"Service General Setting": {"Spooler", "4"},
	} {
		if got := r.Security[section][want[0]]; got != want[1] {
			t.Errorf("%s: %q", section, got)
		}
	}
	report := `<GPO xmlns="http://www.microsoft.com/GroupPolicy/Settings"><Name>Servers</Name><Computer><ExtensionData><Extension><s:SecurityOptions xmlns:s="s"><s:KeyName>MACHINE\A\B</s:KeyName><s:SettingNumber>7</s:SettingNumber></s:SecurityOptions></Extension></ExtensionData></Computer></GPO>`
	if r, err := Parse(report); err != nil || len(r.Values) != 1 || r.Policies[0] != "Servers" || r.Host != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestErrors(t *testing.T) {
	for _, text := range []string{"", "<html></html>", "text"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is a report", text)
		}
	}
	if r, err := Parse(sample[:strings.Index(sample, "<q1:SystemServices>")]); err == nil || len(r.Values) != 3 {
		t.Errorf("%d values of half a report, %v", len(r.Values), err)
	}
	deep := "<Rsop><ComputerResults><E><Extension>" + strings.Repeat("<a>", maxDepth+1)
	if _, err := Parse(deep); !errors.Is(err, ErrLimits) {
		t.Errorf("%v", err)
	}
	if _, err := Parse("<Rsop>" + strings.Repeat("<a>", maxDepth+1)); !errors.Is(err, ErrLimits) {
		t.Errorf("%v", err)
	}
	many := "<Rsop><ComputerResults><E><Extension>" + strings.Repeat("<a/>", maxSettings+1)
	if _, err := Parse(many); !errors.Is(err, ErrLimits) {
		t.Errorf("%v", err)
	}
}

// FuzzParse: every parsed value has a place, and the result is no larger than the report.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("<GPO><Computer><a><Extension><SecurityOptions><KeyName>MACHINE\\a\\b</KeyName><SettingStrings><Value/></SettingStrings></SecurityOptions>")
	f.Fuzz(func(t *testing.T, text string) {
		r, _ := Parse(text)
		for _, v := range r.Values {
			if v.Key == "" || len(v.Data) > 4*len(text)+8 {
				t.Fatalf("%+v", v)
			}
		}
	})
}
