package wire

import (
	"bytes"
	"math"
)

// Params holds the parameters that the server knows. Its slices alias the
// scratch given to [ParseParams]; an absent one is nil.
type Params struct {
	Cname, Cb, Token, Content, Epoch []byte
	After, Prefix                    []byte

	Seq     int64 // 0 when absent
	Noop    int64 // 0 when absent
	Expires int64 // seconds, -1 when absent
	Limit   int64 // 0 when absent

	HasCname, HasCb, HasToken, HasContent, HasEpoch bool
	HasAfter, HasPrefix                             bool
	HasSeq, HasNoop, HasExpires, HasLimit           bool

	// Switches: set by any number but 0.
	Gap, Ack, Snapshot bool
	// Several: more than one channel was named.
	Several                     bool
	hasGap, hasAck, hasSnapshot bool
}

// ParseParams decodes query, and form, whose values override, into dst. Decoded
// values are appended to scratch, which is returned grown; it never allocates
// when scratch has room for len(query) + len(form) more bytes. Within one
// source the first occurrence wins ([ParseChannels] is for who names several
// channels). Names are taken as sent, without decoding,
// and without regard to case; unknown names, and parameters without '=', are
// ignored. Numbers are read as far as they go, saturating; none is 0.
func ParseParams(dst *Params, scratch []byte, query, form []byte) []byte {
	*dst = Params{Expires: -1}
	scratch = dst.addAll(scratch, form)
	return dst.addAll(scratch, query)
}

// NextParam cuts the first parameter with a '=' off s and returns its raw name
// and value, and what follows; ok is false when there is none. It serves who
// must see a name more than once.
func NextParam(s []byte) (name, value, rest []byte, ok bool) {
	for len(s) > 0 {
		pair := s
		if amp := bytes.IndexByte(s, '&'); amp >= 0 {
			pair, s = s[:amp], s[amp+1:]
		} else {
			s = nil
		}
		if eq := bytes.IndexByte(pair, '='); eq > 0 {
			return pair[:eq], pair[eq+1:], s, true
		}
	}
	return nil, nil, nil, false
}

// AppendDecoded appends s with '+' made a space and percent escapes resolved;
// a bad escape stays as it is. The result is never longer than s.
func AppendDecoded(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && isEscape(s[i:]):
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

func (p *Params) addAll(scratch, s []byte) []byte {
	for {
		name, value, rest, ok := NextParam(s)
		if !ok {
			return scratch
		}
		scratch = p.add(scratch, name, value)
		s = rest
	}
}

// add takes one parameter, unless it is known already.
func (p *Params) add(scratch, name, value []byte) []byte {
	switch len(name) {
	case len("cb"):
		if equalFold(name, "cb") {
			return addText(&p.Cb, &p.HasCb, scratch, value)
		}
	case len("seq"): // gap, ack
		switch {
		case equalFold(name, "seq"):
			return addNumber(&p.Seq, &p.HasSeq, scratch, value)
		case equalFold(name, "gap"):
			return addSwitch(&p.Gap, &p.hasGap, scratch, value)
		case equalFold(name, "ack"):
			return addSwitch(&p.Ack, &p.hasAck, scratch, value)
		}
	case len("noop"):
		if equalFold(name, "noop") {
			return addNumber(&p.Noop, &p.HasNoop, scratch, value)
		}
	case len("cname"): // token, epoch, after, limit
		switch {
		case equalFold(name, "epoch"):
			return addText(&p.Epoch, &p.HasEpoch, scratch, value)
		case equalFold(name, "cname"):
			p.Several = p.HasCname
			return addText(&p.Cname, &p.HasCname, scratch, value)
		case equalFold(name, "token"):
			return addText(&p.Token, &p.HasToken, scratch, value)
		case equalFold(name, "after"):
			return addText(&p.After, &p.HasAfter, scratch, value)
		case equalFold(name, "limit"):
			return addNumber(&p.Limit, &p.HasLimit, scratch, value)
		}
	case len("prefix"):
		if equalFold(name, "prefix") {
			return addText(&p.Prefix, &p.HasPrefix, scratch, value)
		}
	case len("content"): // expires
		switch {
		case equalFold(name, "content"):
			return addText(&p.Content, &p.HasContent, scratch, value)
		case equalFold(name, "expires"):
			return addNumber(&p.Expires, &p.HasExpires, scratch, value)
		}
	case len("snapshot"):
		if equalFold(name, "snapshot") {
			return addSwitch(&p.Snapshot, &p.hasSnapshot, scratch, value)
		}
	}
	return scratch
}

func addText(dst *[]byte, has *bool, scratch, value []byte) []byte {
	if *has {
		return scratch
	}
	*has = true
	mark := len(scratch)
	scratch = AppendDecoded(scratch, value)
	*dst = scratch[mark:len(scratch):len(scratch)]
	return scratch
}

func addNumber(dst *int64, has *bool, scratch, value []byte) []byte {
	if *has {
		return scratch
	}
	*has = true
	mark := len(scratch)
	scratch = AppendDecoded(scratch, value)
	*dst = parseInt(scratch[mark:])
	return scratch[:mark]
}

func addSwitch(dst, has *bool, scratch, value []byte) []byte {
	n := int64(0)
	if *has {
		return scratch
	}
	scratch = addNumber(&n, has, scratch, value)
	*dst = n != 0
	return scratch
}

// parseInt reads a number as C's atoi does: white space, a sign, digits, and
// whatever follows is not looked at. It saturates.
func parseInt(s []byte) int64 {
	for len(s) > 0 && (s[0] == ' ' || s[0] >= '\t' && s[0] <= '\r') {
		s = s[1:]
	}
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	n := int64(0) // kept negative: the negative range is the larger
	for len(s) > 0 && isDigit(s[0]) {
		d := int64(s[0] - '0')
		if n < (math.MinInt64+d)/10 {
			n = math.MinInt64
			break
		}
		n = n*10 - d
		s = s[1:]
	}
	switch {
	case negative:
		return n
	case n == math.MinInt64:
		return math.MaxInt64
	}
	return -n
}

// ValidCallback reports whether cb may wrap a reply: an identifier, or several
// joined by dots, of ASCII letters, digits, '_' and '$'.
func ValidCallback(cb []byte) bool {
	start := true
	for _, c := range cb {
		switch {
		case c == '.':
			if start {
				return false
			}
			start = true
		case charClass[c]&classIdent == 0 || start && isDigit(c):
			return false
		default:
			start = false
		}
	}
	return !start
}
