// Package kerberos logs on with Kerberos tickets: it creates the GSS tokens of RFC 4121 for a service such as
// cifs/host, from a credential cache or a keytab, and checks the service's response.
//
//	60 len OID 01 00 AP-REQ       to the service, with a checksum that carries the GSS flags and with a key of our own
//	60 len OID 02 00 AP-REP       from the service: it proves that it holds the service's key, and names the session key
//	60 len OID 03 00 KRB-ERROR    or it says why not
//
// The session key is the subkey of the AP-REP, else our own. Tickets come from the cache or from the realm's servers.
package kerberos
