// Package target holds the hosts that can be changed, one file each. Each implements apply.Target and passes the same
// tests.
//
//	samba.go, samba_registry.go   the Samba server of this machine: smb.conf in place, or Samba's registry through net conf
//	windows_windows.go            the registry and services of this Windows machine
//	winreg.go                     a remote Windows machine, through \pipe\winreg
//	practice.go                   a practice server in this process, by its smb.conf
//	registry.go                   shared by all registry targets: turns changes into writes, by type and bytes
//	file.go, attrs_linux.go       replaces one file atomically, with owner, mode and attributes
package target
