package access

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxPrefixes bounds a list, which is searched from its beginning for each
// connection of a publisher.
const maxPrefixes = 1024

// ParsePrefixes reads networks and single addresses parted by commas, as in
// 10.0.0.0/8,192.0.2.7,2001:db8::/32. An empty text is an empty list. The error
// quotes the part that is wrong and says how to write it.
func ParsePrefixes(text string) ([]netip.Prefix, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var prefixes []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		p, err := parsePrefix(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, p)
		if len(prefixes) > maxPrefixes {
			return nil, fmt.Errorf("more than %d networks: name larger ones", maxPrefixes)
		}
	}
	return prefixes, nil
}

// parsePrefix reads one network or address.
func parsePrefix(part string) (netip.Prefix, error) {
	if !strings.Contains(part, "/") {
		addr, err := netip.ParseAddr(part)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network; write it as 192.0.2.7 or 10.0.0.0/8 (names are not resolved)", part)
		}
		if addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q: an address with a zone is not supported", part)
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(part)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network; write it as 10.0.0.0/8 or 2001:db8::/32", part)
	}
	if masked := p.Masked(); masked != p {
		// 10.1.2.3/8 may have been meant as one host or as all of 10.
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length; write %s, or %s for that one address", part, masked, p.Addr())
	}
	return p, nil
}
