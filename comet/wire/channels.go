package wire

import "bytes"

// Channel is one of the channels that a subscriber names. Its slices alias the
// scratch given to [ParseChannels].
type Channel struct {
	Cname, Token, Epoch []byte // Token and Epoch are nil when absent
	Seq                 int64  // 0 when absent
}

// ParseChannels appends to dst the channels that a query names by repeating
// cname, the k-th with the k-th seq, token and epoch of the query. A name that
// was there before is left out with what belongs to it. It stops at more than
// most channels, and then returns most+1. Names and values are read as
// [ParseParams] reads them, decoded ones are appended to scratch, which is
// returned grown by no more than the length of query.
func ParseChannels(dst []Channel, scratch, query []byte, most int) ([]Channel, []byte) {
	// Each parameter is looked for by its number, in a pass of its own kind: they
	// may come in any order.
	cname, seq, token, epoch := query, query, query, query
	begin := len(dst)
	for len(dst)-begin <= most {
		var raw []byte
		var ok bool
		if raw, cname, ok = nextOf(cname, "cname"); !ok {
			break
		}
		mark := len(scratch)
		var c Channel
		c.Cname, scratch = decoded(scratch, raw)
		if raw, seq, ok = nextOf(seq, "seq"); ok {
			at := len(scratch)
			scratch = AppendDecoded(scratch, raw)
			c.Seq = parseInt(scratch[at:])
			scratch = scratch[:at]
		}
		if raw, token, ok = nextOf(token, "token"); ok {
			c.Token, scratch = decoded(scratch, raw)
		}
		if raw, epoch, ok = nextOf(epoch, "epoch"); ok {
			c.Epoch, scratch = decoded(scratch, raw)
		}
		if named(dst[begin:], c.Cname) {
			scratch = scratch[:mark]
			continue
		}
		dst = append(dst, c)
	}
	return dst, scratch
}

// nextOf is the raw value of the first parameter of that name, and what follows.
func nextOf(s []byte, name string) (value, rest []byte, ok bool) {
	for {
		key, value, rest, ok := NextParam(s)
		if !ok || equalFold(key, name) {
			return value, rest, ok
		}
		s = rest
	}
}

// decoded appends a value to scratch and returns it, which cannot grow over what follows.
func decoded(scratch, raw []byte) (value, grown []byte) {
	mark := len(scratch)
	scratch = AppendDecoded(scratch, raw)
	return scratch[mark:len(scratch):len(scratch)], scratch
}

// named reports whether a channel of that name is among them.
func named(channels []Channel, name []byte) bool {
	for i := range channels {
		if bytes.Equal(channels[i].Cname, name) {
			return true
		}
	}
	return false
}
