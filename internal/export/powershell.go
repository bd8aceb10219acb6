package export

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"ipcguard/internal/change"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// powershell writes a script and its undo, for PowerShell 3 and later. They are idempotent, stop at the first error and
// support -WhatIf.
func powershell(r *Result, p *model.Plan, list []*item, until func(product string) bool) error {
	var apply, undo []string
	for _, i := range list {
		switch i.Place.Kind {
		case change.Registry:
			if !i.says(r, scriptTypes...) {
				continue
			}
			apply = append(apply, i.psValue(i.After))
			undo = append(undo, i.psValue(i.Before))
		case change.Policy:
			if i.BeforeUnknown {
				r.leave(i, "its value before is not known, so there would be no way back")
				continue
			}
			apply = append(apply,
				fmt.Sprintf("Set-IpcguardPolicy -Name %s -Value %s", psQuote(i.Place.Name), psQuote(i.After.Text)))
			undo = append(undo,
				fmt.Sprintf("Set-IpcguardPolicy -Name %s -Value %s", psQuote(i.Place.Name), psQuote(i.Before.Text)))
		case change.Group:
			added, withdrawn := i.members()
			for _, m := range added {
				apply = append(apply, fmt.Sprintf("Set-IpcguardMember -Member %s -Present $true", psQuote(m)))
				undo = append(undo, fmt.Sprintf("Set-IpcguardMember -Member %s -Present $false", psQuote(m)))
			}
			for _, m := range withdrawn {
				apply = append(apply, fmt.Sprintf("Set-IpcguardMember -Member %s -Present $false", psQuote(m)))
				undo = append(undo, fmt.Sprintf("Set-IpcguardMember -Member %s -Present $true", psQuote(m)))
			}
		case change.Firewall:
			if i.linux {
				r.leave(i, "the host is no Windows")
				continue
			}
			if until("win2003r2") {
				r.leave(i, "the firewall of this release lets in what it is told to and has no rules that block")
				continue
			}
			rule := "Set-IpcguardFirewall -Ports " + psQuote(i.ports()) + " -Present "
			apply, undo = append(apply, rule+"$true"), append(undo, rule+"$false")
		default:
			r.leave(i, "it is no setting of Windows")
		}
	}
	if len(apply) == 0 {
		return nil
	}
	switch {
	case until("vista"):
		r.Notes = append(r.Notes,
			"the scripts need PowerShell 3, which this release never had: --as reg is the form for it")
	case until("win2008r2"):
		r.Notes = append(r.Notes,
			"the scripts need PowerShell 3: here it comes with Windows Management Framework 3.0; --as reg needs nothing")
	}
	for a, b := 0, len(undo)-1; a < b; a, b = a+1, b-1 {
		undo[a], undo[b] = undo[b], undo[a]
	}
	r.Files = append(r.Files, File{"apply.ps1", psScript(p, "makes the changes of", apply)},
		File{"undo.ps1", psScript(p, "takes back the changes of", undo)})
	return nil
}

func psScript(p *model.Plan, does string, lines []string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, psHead, does, comment(p.Hash), comment(p.Target))
	for _, f := range []struct{ word, text string }{
		{"Set-IpcguardValue", psValue},
		{"Remove-IpcguardValue", psRemove},
		{"Set-IpcguardPolicy", psPolicy},
		{"Set-IpcguardMember", psMember},
		{"Set-IpcguardFirewall", psFirewall},
	} {
		for _, l := range lines {
			if strings.HasPrefix(l, f.word+" ") {
				b.WriteString(f.text)
				break
			}
		}
	}
	b.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	return []byte(strings.ReplaceAll(b.String(), "\n", "\r\n"))
}

// comment returns a text as one comment line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

const psHead = `# This script %s an ipcguard plan, %s
# for %s. Run it as an administrator; -WhatIf shows what it would do.
[CmdletBinding(SupportsShouldProcess = $true)]
param()
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
`

const psValue = `
# Sets a value below HKEY_LOCAL_MACHINE unless it is there with the same type and data.
function Set-IpcguardValue {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([string]$Key, [string]$Name, [Microsoft.Win32.RegistryValueKind]$Kind, [AllowEmptyString()][AllowEmptyCollection()][object]$Data)
    $place = "HKLM\$Key\$Name"
    $read = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($Key)
    if ($null -ne $read) {
        try {
            if (@($read.GetValueNames()) -contains $Name -and $read.GetValueKind($Name) -eq $Kind) {
                $now = $read.GetValue($Name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
                if ((@($now) -join [string][char]0) -ceq (@($Data) -join [string][char]0)) { Write-Verbose "$place is set"; return }
            }
        } finally { $read.Close() }
    }
    if (-not $PSCmdlet.ShouldProcess($place, 'set')) { return }
    $write = [Microsoft.Win32.Registry]::LocalMachine.CreateSubKey($Key)
    try { $write.SetValue($Name, $Data, $Kind) } finally { $write.Close() }
}
`

const psRemove = `
# Removes a value below HKEY_LOCAL_MACHINE if it is there.
function Remove-IpcguardValue {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([string]$Key, [string]$Name)
    $place = "HKLM\$Key\$Name"
    $read = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($Key)
    if ($null -eq $read) { Write-Verbose "$place is absent"; return }
    try { $there = @($read.GetValueNames()) -contains $Name } finally { $read.Close() }
    if (-not $there) { Write-Verbose "$place is absent"; return }
    if (-not $PSCmdlet.ShouldProcess($place, 'remove')) { return }
    $write = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($Key, $true)
    try { $write.DeleteValue($Name, $false) } finally { $write.Close() }
}
`

const psPolicy = `
# Sets one line of [System Access] in the local security policy. A domain policy that has the line wins over it.
function Set-IpcguardPolicy {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([string]$Name, [string]$Value)
    $folder = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid().ToString())
    [void][IO.Directory]::CreateDirectory($folder)
    try {
        $export = Join-Path $folder 'now.inf'
        & secedit.exe /export /areas SECURITYPOLICY /cfg $export /quiet
        if ($LASTEXITCODE -ne 0) { throw "secedit /export failed with $LASTEXITCODE" }
        $pattern = '^\s*' + [regex]::Escape($Name) + '\s*=\s*"?' + [regex]::Escape($Value) + '"?\s*$'
        if (@(Get-Content -LiteralPath $export | Where-Object { $_ -match $pattern }).Count -gt 0) { Write-Verbose "$Name is set"; return }
        if (-not $PSCmdlet.ShouldProcess("[System Access] $Name", "set to $Value")) { return }
        $template = Join-Path $folder 'set.inf'
        $lines = @('[Unicode]', 'Unicode=yes', '[System Access]', ($Name + ' = ' + $Value), '[Version]', 'signature="$CHICAGO$"', 'Revision=1', '')
        [IO.File]::WriteAllText($template, ($lines -join ([string][char]13 + [char]10)), [Text.Encoding]::Unicode)
        & secedit.exe /configure /areas SECURITYPOLICY /db (Join-Path $folder 'set.sdb') /cfg $template /quiet
        if ($LASTEXITCODE -ne 0) { throw "secedit /configure failed with $LASTEXITCODE" }
    } finally { [IO.Directory]::Delete($folder, $true) }
}
`

const psMember = `
# Puts a member into Pre-Windows 2000 Compatible Access, or takes it out. Names follow the language of Windows, so SIDs are used.
function Set-IpcguardMember {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([string]$Member, [bool]$Present)
    function Convert-Sid([string]$text) {
        if ($text -notmatch '^S-1-') { return $text }
        return (New-Object Security.Principal.SecurityIdentifier($text)).Translate([Security.Principal.NTAccount]).Value
    }
    $group = (Convert-Sid 'S-1-5-32-554').Split('\')[-1]
    $account = Convert-Sid $Member
    $there = @(& net.exe localgroup $group | ForEach-Object { $_.Trim() }) -contains $account
    if ($there -eq $Present) { Write-Verbose "$account is as wanted"; return }
    $verb = if ($Present) { '/add' } else { '/delete' }
    if (-not $PSCmdlet.ShouldProcess($group, "$verb $account")) { return }
    & net.exe localgroup $group $account $verb
    if ($LASTEXITCODE -ne 0) { throw "net localgroup failed with $LASTEXITCODE" }
}
`

const psFirewall = `
# Blocks TCP ports from outside, or takes the rule away. Windows has cmdlets for it since 2012 alone, netsh since Vista.
function Set-IpcguardFirewall {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([string]$Ports, [bool]$Present)
    $name = 'ipcguard-block-smb'
    [void](& netsh.exe advfirewall firewall show rule "name=$name")
    $there = $LASTEXITCODE -eq 0
    if ($there -eq $Present) { Write-Verbose "$name is as wanted"; return }
    if (-not $PSCmdlet.ShouldProcess($name, 'change')) { return }
    if ($Present) {
        & netsh.exe advfirewall firewall add rule "name=$name" dir=in action=block protocol=TCP "localport=$Ports"
    } else {
        & netsh.exe advfirewall firewall delete rule "name=$name"
    }
    if ($LASTEXITCODE -ne 0) { throw "netsh failed with $LASTEXITCODE" }
}
`

// below removes the root from a key.
func below(key string) string {
	_, rest, _ := strings.Cut(key, `\`)
	return rest
}

// scriptTypes are the types that .NET writes by their meaning.
var scriptTypes = []registry.Type{
	registry.DWord, registry.QWord, registry.MultiSZ, registry.SZ, registry.ExpandSZ, registry.Binary,
}

// psValue writes a state to a value.
func (i *item) psValue(s change.State) string {
	if !s.Present {
		return fmt.Sprintf("Remove-IpcguardValue -Key %s -Name %s", psQuote(below(i.Place.Key)), psQuote(i.Place.Name))
	}
	return psSet(i.value(s))
}

func psSet(v registry.Value) string {
	kind, data := "", ""
	switch v.Type {
	case registry.DWord:
		n, _ := v.DWord()
		// the API takes a signed number with the same bits
		kind, data = "DWord", fmt.Sprintf("([int]%d)", int32(n))
	case registry.QWord:
		n, _ := v.QWord()
		kind, data = "QWord", fmt.Sprintf("([long]%d)", int64(n))
	case registry.MultiSZ:
		list, _ := v.Strings()
		quoted := make([]string, len(list))
		for i, s := range list {
			quoted[i] = psQuote(s)
		}
		kind, data = "MultiString", "([string[]]@("+strings.Join(quoted, ", ")+"))"
	case registry.SZ, registry.ExpandSZ:
		s, _ := v.Text()
		kind, data = "String", psQuote(s)
		if v.Type == registry.ExpandSZ {
			kind = "ExpandString"
		}
	default:
		bytes := make([]string, len(v.Data))
		for i, b := range v.Data {
			bytes[i] = fmt.Sprint(b)
		}
		kind, data = "Binary", "([byte[]]@("+strings.Join(bytes, ", ")+"))"
	}
	return fmt.Sprintf("Set-IpcguardValue -Key %s -Name %s -Kind %s -Data %s",
		psQuote(below(v.Key)), psQuote(v.Name), kind, data)
}

// psQuote returns an expression whose value is exactly s. Inside single quotes only a quote is special, and PowerShell
// also accepts four typographic quotes as one; so everything that is not plain ASCII is written as numbers.
func psQuote(s string) string {
	plain := true
	for _, r := range s {
		if r < ' ' || r > '~' {
			plain = false
		}
	}
	if plain {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	var b strings.Builder
	b.WriteString("(-join [char[]]@(")
	for i, u := range utf16.Encode([]rune(s)) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d", u)
	}
	b.WriteString("))")
	return b.String()
}
