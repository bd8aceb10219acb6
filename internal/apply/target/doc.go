// Package target holds the hosts that changes are made on, one file each. Every one implements apply.Target and is held to
// the same tests.
//
//	samba.go, samba_registry.go   the Samba server of this machine: smb.conf in place, or Samba's registry through net conf
//	windows_windows.go            the registry and services of this Windows machine
//	winreg.go                     a Windows machine from afar, through \pipe\winreg
//	practice.go                   a practice server in this process, by its smb.conf
//	registry.go                   what every target that is a registry shares: changes to writes, by type and bytes
//	file.go, attrs_linux.go       one file replaced in one step, with owner, mode and attributes
package target
