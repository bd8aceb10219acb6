// Package smbtest is an SMB server in the process, as httptest is for HTTP: the practice server. It answers on SMB1 to
// 3.1.1 as a chosen product does, with made-up accounts, shares and services behind IPC$.
//
//	Server   listens, on one address or on every loopback address
//	Host     one made-up server: a Profile, a World, Faults
//	Profile  how a product and its settings behave: dialects, signing, who may open which pipe and read what
//	World    what there is to read: accounts, groups, shares, services, a registry
//	Fault    what goes wrong on purpose: delay, drop, silence, garbage, bytes one by one, endless pending …
//
// It is for tests, benchmarks and the demo on machines without Samba: for speed, for faults, and for the behaviour of
// Windows, which is not available here. What it says about Windows is based on documents, never on a measurement, and a
// test in which only the project's client talks to it proves little.
//
// It keeps nothing, writes nothing and serves only loopback addresses.
package smbtest
