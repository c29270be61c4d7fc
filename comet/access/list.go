package access

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"c1000k/comet"
)

// List says who may publish. It never changes, so any thread may ask it.
type List struct {
	rules    []rule // the longest prefixes first
	trusted  []netip.Prefix
	fallback bool // the answer where no rule holds an address
}

type rule struct {
	prefix netip.Prefix
	allow  bool
}

var _ comet.Access = (*List)(nil)

// New makes a list. It refuses a prefix that is allowed and denied: no order
// could tell which was meant.
func New(allow, deny, trusted []netip.Prefix) (*List, error) {
	l := &List{fallback: len(allow) == 0}
	for _, p := range allow {
		l.rules = append(l.rules, rule{plain(p), true})
	}
	for _, p := range deny {
		denied := rule{plain(p), false}
		if slices.Contains(l.rules, rule{denied.prefix, true}) {
			return nil, fmt.Errorf("%s is both allowed and denied", p)
		}
		l.rules = append(l.rules, denied)
	}
	for _, p := range trusted {
		l.trusted = append(l.trusted, plain(p))
	}
	slices.SortStableFunc(l.rules, func(a, b rule) int { return b.prefix.Bits() - a.prefix.Bits() })
	return l, nil
}

// plain is a prefix as addresses are compared with it: masked, and IPv4 where it
// is a network of mapped IPv4 addresses.
func plain(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// Allows says whether a publisher at addr may publish.
func (l *List) Allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, r := range l.rules {
		if r.prefix.Contains(addr) {
			return r.allow
		}
	}
	return l.fallback
}

// Trusts says whether addr is a proxy whose word is believed.
func (l *List) Trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(l.trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Admits is Allows and Trusts for the address of a connection.
func (l *List) Admits(p comet.Peer) (publishes, proxy bool) {
	addr := netip.AddrFrom16(p)
	return l.Allows(addr), l.Trusts(addr)
}

// maxHops bounds the proxies that a request may have come through.
const maxHops = 32

// Forwarded says whether the client may publish for which a trusted proxy
// speaks. list is the value of its X-Forwarded-For, to which each proxy added
// the address that it saw: the last that is no trusted proxy's is the client's,
// and what stands before it is only the client's own word. A list without a
// readable address there, or with too many, admits nobody.
func (l *List) Forwarded(list []byte) (publishes bool) {
	for range maxHops {
		comma := bytes.LastIndexByte(list, ',')
		addr, ok := parseHop(string(bytes.TrimSpace(list[comma+1:])))
		if !ok {
			return false
		}
		if comma < 0 || !l.Trusts(addr) {
			return l.Allows(addr)
		}
		list = list[:comma]
	}
	return false
}

// parseHop reads an address as proxies write it: bare, or with a port.
func parseHop(text string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr, true
	}
	withPort, err := netip.ParseAddrPort(text)
	return withPort.Addr(), err == nil
}
