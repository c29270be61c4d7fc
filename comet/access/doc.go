// Package access decides by address who may publish.
//
// A List is made of networks that may, networks that may not, and proxies whose
// word about their clients is believed. The longest prefix that holds an address
// decides, in whichever list it stands, so that no rule hides a longer one:
//
//	allow 10.0.0.0/8, deny 10.1.0.0/16, allow 10.1.2.3
//	10.9.9.9 may, 10.1.9.9 may not, 10.1.2.3 may
//
// An address that no rule holds may publish where nothing is allowed by name,
// and may not otherwise. IPv4 addresses mapped into IPv6 are IPv4 addresses.
//
// Caveat: a proxy's word is only as good as the network between it and the
// server. Trust the addresses of proxies that set X-Forwarded-For themselves,
// and none through which a client could reach the server as them.
package access
