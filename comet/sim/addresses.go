package sim

import (
	"net/netip"
	"strings"

	"c1000k/comet"
	"c1000k/comet/access"
)

// book says by address who may publish, in the most naive way: the model's side
// of an access list.
type book struct{ allow, deny, trusted []netip.Prefix }

// Where publishers come from, and what lists are made of. No address at all is
// that of a unix socket.
var (
	addresses = parseAll(netip.MustParseAddr, "10.0.0.1", "10.1.0.1", "10.1.2.3", "192.0.2.1", "::1", "2001:db8:1::1")
	networks  = parseAll(netip.MustParsePrefix, "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0", "2001:db8::/32", "2001:db8:1::/48")
	proxies   = parseAll(netip.MustParsePrefix, "10.1.2.3/32", "192.0.2.0/24", "2001:db8:1::/48")
)

func parseAll[T any](parse func(string) T, texts ...string) (all []T) {
	for _, t := range texts {
		all = append(all, parse(t))
	}
	return all
}

// relist puts another list of addresses into force, or none.
func (w *world) relist() {
	w.book = nil
	if w.chance(100) {
		w.mix("access", 0)
		w.svc.SetAccess(nil)
		return
	}
	b := &book{}
	for i, p := range networks {
		switch r := w.rng.IntN(5); r {
		case 0, 1:
			b.allow = append(b.allow, p)
			w.mix("allow", i)
		case 2:
			b.deny = append(b.deny, p)
			w.mix("deny", i)
		}
	}
	for i, p := range proxies {
		if w.chance(500) {
			b.trusted = append(b.trusted, p)
			w.mix("trust", i)
		}
	}
	list, err := access.New(b.allow, b.deny, b.trusted)
	if err != nil {
		w.fail("access list %+v: %v", b, err)
	}
	w.book = b
	w.svc.SetAccess(list)
}

// admits says whether a publisher may come from an address: the longest network
// that holds it decides.
func (b *book) admits(a netip.Addr) bool {
	for bits := 128; bits >= 0; bits-- {
		for _, p := range b.allow {
			if p.Bits() == bits && p.Contains(a) {
				return true
			}
		}
		for _, p := range b.deny {
			if p.Bits() == bits && p.Contains(a) {
				return false
			}
		}
	}
	return len(b.allow) == 0
}

func (b *book) trusts(a netip.Addr) bool {
	for _, p := range b.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// forwarded is admits for the client that a proxy names: the last hop that is no
// proxy's, or the first of all.
func (b *book) forwarded(list string) bool {
	hops := strings.Split(list, ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return false
		}
		if i == 0 || !b.trusts(a) {
			return b.admits(a)
		}
	}
	return false
}

// comesFrom is the address of a publisher's new connection.
func (c *client) comesFrom() netip.Addr {
	if !c.admin || c.steady || !c.w.set.access || c.w.chance(300) {
		return netip.Addr{}
	}
	return pick(c.w.rng, addresses...)
}

// forwardedFor is what a publisher, or a proxy, says of where it comes from;
// mostly nothing.
func (c *client) forwardedFor() string {
	w := c.w
	if !c.admin || c.steady || !w.set.access || !w.chance(300) {
		return ""
	}
	list := pick(w.rng, "10.0.0.1", "10.1.2.3", "2001:db8:1::1", "nobody")
	for range w.rng.IntN(3) {
		list += pick(w.rng, ", ", ",") + pick(w.rng, addresses...).String()
	}
	return list
}

// registered notes what the list that is in force says of a connection's
// address, which counts for its life, and returns the address.
func (s *socket) registered() (p comet.Peer) {
	b := s.client.w.book
	if b == nil || !s.peer.IsValid() {
		return s.peer.As16()
	}
	s.denied, s.proxied = !b.admits(s.peer), b.trusts(s.peer)
	return s.peer.As16()
}

// bars says whether a request is refused for where it comes from.
func (s *socket) bars(a *ask) bool {
	if b := s.client.w.book; b != nil && s.proxied && a.forwarded != "" {
		return !b.forwarded(a.forwarded)
	}
	return s.denied
}
